// Package windows runs the batch files and the Windows binary under Wine: paths, quoting, batch syntax, exit codes, code pages,
// and a broker with its files and sockets. It says nothing of Windows' file locking or of its speed. It is switched on by
// BOTE_WINE=1 on Linux; install.sh installs what it needs.
package windows
