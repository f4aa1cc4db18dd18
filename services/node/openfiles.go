package node

import "syscall"

const (
	// fewestFiles is how many files a process has to be allowed to open: the log and its projections are hundreds.
	fewestFiles = 512
	// mostConnections is how many connections are served at once however many files may be open: each takes memory, too.
	mostConnections = 16384
	// mostNATS is how many connections the door for NATS serves.
	mostNATS = 4096
	// mostStoreFiles is how many tables a store holds open.
	mostStoreFiles = 1000
)

// openFiles shares out how many files a process may open, so that those who connect leave enough to the log and to what is made of
// it: at least a seventh, and a quarter. Connections beyond their share wait to be taken.
type openFiles struct {
	http  int // connections of the API
	envoy int // connections that Envoy asks by
	nats  int // connections of programs that read over NATS, each of which takes three files
	store int // tables of each of the two stores
}

// shareFiles shares out a limit on open files.
func shareFiles(limit uint64) (openFiles, error) {
	if limit < fewestFiles {
		return openFiles{}, refuse(GuardFiles, nil, "this process may have %d files open at once (ulimit -n); want %d or more, and 2 for each connection that is served at once", limit, fewestFiles)
	}
	share := func(of, most uint64) int { return int(min(limit/of, most)) }
	return openFiles{http: min(3*share(8, mostConnections), mostConnections), envoy: share(16, mostConnections), nats: share(24, mostNATS), store: share(8, mostStoreFiles)}, nil
}

// allowedFiles is what this process may open. The runtime has raised it as far as it may be.
func allowedFiles() (openFiles, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return openFiles{}, refuse(GuardFiles, err, "how many files may be open cannot be found out")
	}
	return shareFiles(limit.Cur)
}
