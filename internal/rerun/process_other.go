//go:build !unix

package rerun

import "os/exec"

// Without process groups, a cell's program that ignores the end of its kernel outlives it.
func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
