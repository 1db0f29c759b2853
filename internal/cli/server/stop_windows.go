package server

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// detached lets the program run on after this one and its console end.
func detached(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}

// stopProcess kills a process, as Kafka's script does: Windows has no signals. The partitions' logs survive that.
func stopProcess(pid int, _ string) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("find process %d: %w", pid, err)
	}
	if err := p.Kill(); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	return nil
}

// userProcesses lists the command lines of all processes that this user may inspect.
func userProcesses() ([]process, error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer windows.CloseHandle(snapshot) //nolint:errcheck // only read
	var list []process
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		if args, err := commandLine(entry.ProcessID); err == nil {
			list = append(list, process{pid: int(entry.ProcessID), args: args})
		}
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return list, nil
}

// commandLine reads the command line of a process out of its environment block.
func commandLine(pid uint32) ([]string, error) {
	handle, err := windows.OpenProcess(windows.PROCESS_QUERY_INFORMATION|windows.PROCESS_VM_READ, false, pid)
	if err != nil {
		return nil, fmt.Errorf("open process: %w", err)
	}
	defer windows.CloseHandle(handle) //nolint:errcheck // only read
	var info windows.PROCESS_BASIC_INFORMATION
	if err := windows.NtQueryInformationProcess(handle, windows.ProcessBasicInformation, unsafe.Pointer(&info), uint32(unsafe.Sizeof(info)), nil); err != nil {
		return nil, fmt.Errorf("ask for the environment block: %w", err)
	}
	var block windows.PEB
	if err := readMemory(handle, uintptr(unsafe.Pointer(info.PebBaseAddress)), unsafe.Pointer(&block), unsafe.Sizeof(block)); err != nil {
		return nil, err
	}
	var params windows.RTL_USER_PROCESS_PARAMETERS
	if err := readMemory(handle, uintptr(unsafe.Pointer(block.ProcessParameters)), unsafe.Pointer(&params), unsafe.Sizeof(params)); err != nil {
		return nil, err
	}
	if params.CommandLine.Length == 0 {
		return nil, errors.New("no command line")
	}
	text := make([]uint16, params.CommandLine.Length/2)
	if err := readMemory(handle, uintptr(unsafe.Pointer(params.CommandLine.Buffer)), unsafe.Pointer(&text[0]), uintptr(len(text))*2); err != nil {
		return nil, err
	}
	args, err := windows.DecomposeCommandLine(windows.UTF16ToString(text))
	if err != nil {
		return nil, fmt.Errorf("split the command line: %w", err)
	}
	return args, nil
}

func readMemory(process windows.Handle, at uintptr, to unsafe.Pointer, size uintptr) error {
	if err := windows.ReadProcessMemory(process, at, (*byte)(to), size, nil); err != nil {
		return fmt.Errorf("read memory of process: %w", err)
	}
	return nil
}
