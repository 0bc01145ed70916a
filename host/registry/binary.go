package registry

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/stephost/stephost/host/problem"
)

// binaryInfo is what a file's header says.
type binaryInfo struct {
	kind   string
	os     string   // Go's word; "" = not said
	arches []string // Go's words; several in a universal Mach-O
	loader string   // the dynamic loader that it asks for
	not    string   // why it is no program, in words; "" = it is one
}

// readHeader tells what a file is from its first bytes and headers. The kind is
// "" when it is nothing that could be started.
func readHeader(r io.ReaderAt) (info binaryInfo, err error) {
	// The parsers of debug/* are meant for trusted input and say so.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged header: %v", p)
		}
	}()
	var head [64]byte
	n, err := r.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return info, err
	}
	b := head[:n]
	has := func(magic string) bool { return strings.HasPrefix(string(b), magic) }
	switch {
	case n == 0:
		info.not = "an empty file"
	case has("#!"):
		info.kind = KindScript
	case has(elf.ELFMAG):
		return elfInfo(r)
	case has("MZ"):
		return peInfo(r)
	case has("\xcf\xfa\xed\xfe"), has("\xce\xfa\xed\xfe"), has("\xfe\xed\xfa\xce"), has("\xfe\xed\xfa\xcf"):
		return machoInfo(r)
	case has("\xca\xfe\xba\xbe"):
		// A universal Mach-O and a Java class begin alike; what follows is
		// the number of architectures, or the class format's version.
		if n >= 8 && binary.BigEndian.Uint32(b[4:8]) < 30 {
			return machoInfo(r)
		}
		info.not = "a Java class file"
	case has("PK\x03\x04"):
		info.not = "an archive (zip, wheel or jar)"
	case has("\x1f\x8b"), has("BZh"), has("\xfd7zXZ\x00"), has("\x28\xb5\x2f\xfd"):
		info.not = "a compressed file"
	case has("!<arch>\n"):
		info.not = "a static library"
	case n > 262 && string(b[257:262]) == "ustar":
		info.not = "an archive (tar)"
	}
	return info, nil
}

func elfInfo(r io.ReaderAt) (binaryInfo, error) {
	info := binaryInfo{kind: KindELF}
	f, err := elf.NewFile(r)
	if err != nil {
		return info, err
	}
	switch f.OSABI {
	case elf.ELFOSABI_NONE, elf.ELFOSABI_LINUX:
		info.os = "linux"
	case elf.ELFOSABI_FREEBSD:
		info.os = "freebsd"
	case elf.ELFOSABI_NETBSD:
		info.os = "netbsd"
	case elf.ELFOSABI_OPENBSD:
		info.os = "openbsd"
	default:
		info.os = strings.ToLower(strings.TrimPrefix(f.OSABI.String(), "ELFOSABI_"))
	}
	info.arches = []string{elfArch(f)}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			loader := make([]byte, p.Filesz)
			if _, err := p.ReadAt(loader, 0); err == nil {
				info.loader = strings.TrimRight(string(loader), "\x00")
			}
		}
	}
	switch {
	case f.Type == elf.ET_REL:
		info.not = "an object file, not a program"
	case f.Type == elf.ET_CORE:
		info.not = "a core dump, not a program"
	case f.Type == elf.ET_DYN && info.loader == "" && !isPIE(f):
		info.not = "a shared library, not a program"
	}
	return info, nil
}

// isPIE tells a static position-independent program from a shared library.
func isPIE(f *elf.File) bool {
	if flags, err := f.DynValue(elf.DT_FLAGS_1); err == nil {
		for _, v := range flags {
			if v&uint64(elf.DF_1_PIE) != 0 {
				return true
			}
		}
	}
	return false
}

func elfArch(f *elf.File) string {
	little := f.ByteOrder == binary.LittleEndian
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_386:
		return "386"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_PPC64:
		if little {
			return "ppc64le"
		}
		return "ppc64"
	}
	return strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_"))
}

func machoInfo(r io.ReaderAt) (binaryInfo, error) {
	info := binaryInfo{kind: KindMachO, os: "darwin"}
	arch := func(c macho.Cpu) string {
		switch c {
		case macho.CpuAmd64:
			return "amd64"
		case macho.CpuArm64:
			return "arm64"
		case macho.Cpu386:
			return "386"
		}
		return strings.ToLower(strings.TrimPrefix(c.String(), "Cpu"))
	}
	notProgram := func(t macho.Type) string {
		if t == macho.TypeExec {
			return ""
		}
		return "a library or object file, not a program"
	}
	if fat, err := macho.NewFatFile(r); err == nil {
		for _, a := range fat.Arches {
			info.arches = append(info.arches, arch(a.Cpu))
			info.not = notProgram(a.Type)
		}
		return info, nil
	}
	f, err := macho.NewFile(r)
	if err != nil {
		return info, err
	}
	info.arches, info.not = []string{arch(f.Cpu)}, notProgram(f.Type)
	return info, nil
}

func peInfo(r io.ReaderAt) (binaryInfo, error) {
	info := binaryInfo{kind: KindPE, os: "windows"}
	f, err := pe.NewFile(r)
	if err != nil {
		return info, err
	}
	switch f.Machine {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		info.arches = []string{"amd64"}
	case pe.IMAGE_FILE_MACHINE_ARM64:
		info.arches = []string{"arm64"}
	case pe.IMAGE_FILE_MACHINE_I386:
		info.arches = []string{"386"}
	default:
		info.arches = []string{fmt.Sprintf("machine 0x%x", f.Machine)}
	}
	if f.Characteristics&pe.IMAGE_FILE_DLL != 0 {
		info.not = "a DLL, not a program"
	}
	return info, nil
}

// fits refuses a program that this machine cannot start.
func (i binaryInfo) fits(path string) error {
	if i.kind == "" || i.kind == KindScript {
		return nil
	}
	here := runtime.GOOS + "/" + runtime.GOARCH
	arch := strings.Join(i.arches, "+")
	for _, a := range i.arches {
		if a == runtime.GOARCH {
			arch = a
		}
	}
	if built := i.os + "/" + arch; built != here {
		return &problem.Error{
			Summary: path + " was built for " + built + "; this machine is " + here,
			Next: fmt.Sprintf("build it with GOOS=%s GOARCH=%s, or register its manifest alone, which is enough to validate: stephost flavor register flavor.hcl",
				runtime.GOOS, runtime.GOARCH),
		}
	}
	if i.loader != "" {
		if _, err := os.Stat(i.loader); err != nil {
			return &problem.Error{
				Summary: path + " needs the loader " + i.loader + ", which this machine does not have",
				Detail:  "It was linked against another C library (musl or glibc).",
				Next:    "build it without cgo: CGO_ENABLED=0 go build",
				Err:     err,
			}
		}
	}
	return nil
}
