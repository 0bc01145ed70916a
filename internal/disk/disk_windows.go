package disk

import (
	"errors"

	"golang.org/x/sys/windows"
)

// Free is what this user may still write, and the disk's size.
func Free(dir string) (free, total int64, ok bool) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, false
	}
	var mine, all, rest uint64
	if err := windows.GetDiskFreeSpaceEx(path, &mine, &all, &rest); err != nil {
		return 0, 0, false
	}
	return int64(mine), int64(all), true
}

// Full tells whether err says that there is no space.
func Full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
