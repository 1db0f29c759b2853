// Package tutorial types what Kafka tutorials tell their readers to type, command by command, from the root of the unpacked
// tree, and checks what is printed. It owns the order of the commands and what they must print; the exact columns of every
// tool are checked by test/golden-cli. It is switched on by BOTE_TUTORIAL=1 or BOTE_COMPAT=1, needs bash and the ports 9092
// and 9093, and must be the only one on the machine that runs a broker: one of the commands stops them all.
package tutorial
