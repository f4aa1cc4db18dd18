package journal

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A doorkeeper takes the connections to an outlet and hands each on to the outlet's
// server, with the address that it came from (PROXY protocol, version 1). The server itself
// counts connections as a whole only: one address could hold them all. Here each has a few.
type doorkeeper struct {
	listener net.Listener
	inner    string // where the server listens, on this machine alone
	all      int    // connections
	most     int    // connections of one address

	mu    sync.Mutex
	of    map[netip.Addr]int
	held  map[net.Conn]bool
	shut  bool
	tasks sync.WaitGroup
}

// innerWithin bounds the way to the server.
const innerWithin = 5 * time.Second

// newDoorkeeper listens, and takes nobody in before open.
func newDoorkeeper(listen string, all, most int) (*doorkeeper, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("journal: the outlet cannot listen on %s: %w", listen, err)
	}
	return &doorkeeper{listener: l, all: all, most: most, of: map[netip.Addr]int{}, held: map[net.Conn]bool{}}, nil
}

// open begins to hand connections on to a server.
func (k *doorkeeper) open(inner string) {
	k.inner = inner
	k.tasks.Go(k.run)
}

// run takes connections until close.
func (k *doorkeeper) run() {
	for {
		c, err := k.listener.Accept()
		if err != nil && k.closed() {
			return
		}
		if err != nil { // no file descriptors, perhaps
			_ = pause(context.Background(), 50*time.Millisecond)
			continue
		}
		from, let := k.enter(c)
		if !let {
			_ = c.Close()
			continue
		}
		k.tasks.Go(func() {
			defer k.leave(c, from)
			k.relay(c)
		})
	}
}

func (k *doorkeeper) closed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shut
}

// enter gives a connection a place among those of its address.
func (k *doorkeeper) enter(c net.Conn) (from netip.Addr, let bool) {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	from = peer.Addr().Unmap()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil || k.shut || len(k.held) >= k.all || k.of[from] >= k.most {
		return from, false
	}
	k.of[from]++
	k.held[c] = true
	return from, true
}

func (k *doorkeeper) leave(c net.Conn, from netip.Addr) {
	_ = c.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.held, c)
	if k.of[from]--; k.of[from] == 0 {
		delete(k.of, from)
	}
}

// relay hands a connection on until either side ends it. It keeps nothing back: a client
// that does not read is as slow to the server as it would be without.
func (k *doorkeeper) relay(c net.Conn) {
	s, err := net.DialTimeout("tcp", k.inner, innerWithin)
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	if _, err := io.WriteString(s, proxyLine(c)); err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, s)
		_ = c.Close()
	})
	_, _ = io.Copy(s, c)
	_ = s.Close()
	back.Wait()
}

// proxyLine says whose connection follows.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.1
func proxyLine(c net.Conn) string {
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	to, err2 := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil || err2 != nil {
		return "PROXY UNKNOWN\r\n"
	}
	family, source, target := "TCP4", from.Addr().Unmap().WithZone(""), to.Addr().Unmap().WithZone("")
	if source.Is6() {
		family = "TCP6"
	}
	return fmt.Sprintf("PROXY %s %s %s %d %d\r\n", family, source, target, from.Port(), to.Port())
}

// close cuts everybody off.
func (k *doorkeeper) close() {
	k.mu.Lock()
	k.shut = true
	_ = k.listener.Close()
	for c := range k.held {
		_ = c.Close()
	}
	k.mu.Unlock()
	k.tasks.Wait()
}
