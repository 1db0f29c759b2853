// Package goldencli replays, case by case, what Apache Kafka's command-line tools
// printed, with bote's tools against bote's broker. It owns the recordings (cases/),
// the program that replays them (replay.py), and the list of cases that differ
// (known-differences.txt), each with its reason. It is switched on by BOTE_COMPAT=1 and
// needs bash and Python.
package goldencli
