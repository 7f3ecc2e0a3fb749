package rerun

import "syscall"

// endWithParent ends a process when the one that started it is killed.
func endWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
