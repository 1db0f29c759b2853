// Package tutorial types what Kafka tutorials tell their readers to type, command by command, in the root of the unpacked
// tree, and checks what is printed. It owns the order of the commands and what they must print; test/golden-cli checks the
// exact columns of every tool. BOTE_TUTORIAL=1 or BOTE_COMPAT=1 switches it on. It needs bash and the ports 9092 and 9093.
// No other broker may run on the machine: one of the commands stops them all.
package tutorial
