// Package planted plants small bugs in the code, one at a time, and sees that a test
// notices each: a test that passes over a bug that it is there for tests nothing.
// Where random histories should notice, test/model has a list of its own.
package planted
