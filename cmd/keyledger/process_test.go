package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// A serverProcess is a running "keyledger serve".
type serverProcess struct {
	URL     string
	Welcome string // all of standard output, once it has ended

	cmd    *exec.Cmd
	stdout sync.WaitGroup
	text   strings.Builder // of standard output; read after stdout.Wait
	log    bytes.Buffer    // of standard error; read after the process ended
}

// startServer starts binary with args after "serve" and returns once it says
// where it serves.
func startServer(binary, dir string, env []string, args ...string) (*serverProcess, error) {
	s := &serverProcess{cmd: exec.Command(binary, append([]string{"serve"}, args...)...)}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = dir, env, &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	for s.URL == "" {
		line, err := lines.ReadString('\n')
		s.text.WriteString(line)
		if err != nil {
			return nil, fmt.Errorf("the server ended before it served: %w\n%s%s", s.cmd.Wait(), &s.text, &s.log)
		}
		s.URL = servesAt(line)
	}
	s.stdout.Go(func() { _, _ = io.Copy(&s.text, lines) })
	return s, nil
}

var serving = regexp.MustCompile(`^Keyledger .* serves (http\S+)$|^ *"url": "(http[^"]+)"$`)

// servesAt is where a server serves if the line of its output says so.
func servesAt(line string) string {
	found := serving.FindStringSubmatch(strings.TrimRight(line, "\n"))
	if found == nil {
		return ""
	}
	return found[1] + found[2]
}

// stop sends the signal and waits for the end.
func (s *serverProcess) stop(signal os.Signal) error {
	if err := s.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	s.stdout.Wait()
	s.Welcome = s.text.String()
	return s.cmd.Wait()
}

// kill ends the process as a power cut would.
func (s *serverProcess) kill() { _ = s.stop(syscall.SIGKILL) }
