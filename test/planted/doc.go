// Package planted plants small bugs in the code, one at a time, and checks that a test
// notices each. A test that misses the bug it is there for tests nothing. For bugs that
// random histories should notice, test/model has its own list.
package planted
