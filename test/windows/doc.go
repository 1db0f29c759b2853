// Package windows runs the batch files and the Windows binary under Wine: paths,
// quoting, batch syntax, exit codes, code pages, and a broker with its files and
// sockets. It proves nothing about Windows' file locking or speed. BOTE_WINE=1 switches
// it on, on Linux; install.sh installs what it needs.
package windows
