package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// crowd is how many sessions or connections there are when there are many, and few when there are few.
const (
	crowd = 5_000
	few   = 50
)

// slowConnections is the measure of slowly.
const slowConnections = "beside slow connections"

// inCrowdName is the measure of inCrowd.
func inCrowdName(n int) string {
	return fmt.Sprintf("%s sessions without a process", grouped(strconv.Itoa(n)))
}

// listings are how many lists the sessions of a crowd ask for together.
const listings = 20_000

// inCrowd gives what a call and a session cost when so many sessions are open, which need no process: the part of
// the handler itself, which is to be the same however many there are.
func inCrowd(n int) func(*meter) error {
	return func(m *meter) error {
		for range few { // what is there once, for however many sessions
			if err := once(m, func() {}); err != nil {
				return err
			}
		}
		time.Sleep(m.settle)
		before, err := m.usage()
		if err != nil {
			return err
		}
		var shared []*conn // a host keeps a few for everybody
		var open []*httpSession
		defer func() {
			for _, s := range open {
				s.close()
			}
		}()
		for range n {
			opened, err := m.open()
			if err != nil {
				return fmt.Errorf("open session %d of %d: %w", len(open)+1, n, err)
			}
			s := opened.(*httpSession)
			if shared == nil {
				shared = s.conns
			} else {
				s.rest()
				s.conns = shared
			}
			open = append(open, s)
		}
		time.Sleep(m.settle)
		rest, err := m.usage()
		if err != nil {
			return err
		}
		for i := range listings {
			if err := open[i%n].list(); err != nil {
				return err
			}
		}
		after, err := m.usage()
		if err != nil {
			return err
		}
		m.set(m.measure, "CPU µs", micros(after.cpu-rest.cpu)/listings)
		m.set(m.measure, "KiB", float64(rest.resident-before.resident)/kib/float64(n))
		return nil
	}
}

// slowly gives what a call takes while many connections send a request a byte at a time, and what each of them costs.
func slowly(m *meter) error {
	s, err := m.open()
	if err != nil {
		return err
	}
	defer s.close()
	var slow []net.Conn
	defer func() {
		for _, c := range slow {
			c.Close()
		}
	}()
	for range crowd {
		c, err := net.DialTimeout("tcp", m.client.addr, patience)
		if err == nil {
			_, err = c.Write([]byte("POST " + m.client.path + " HTTP/1.1\r\nHost: " + m.client.addr + "\r\nX-Slow: "))
		}
		if err != nil {
			return fmt.Errorf("open slow connection %d of %d: %w", len(slow)+1, crowd, err)
		}
		slow = append(slow, c)
	}
	u, err := m.usage()
	if err != nil {
		return err
	}
	m.set(m.measure, "KiB", float64(u.resident-m.rest)/kib/crowd)
	ended := make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
				for j := range 5 {
					slow[(5*i+j)%crowd].Write([]byte{'x'}) // an error: it was cut off, which is right
				}
			}
		}
	})
	r := m.drive([]session{s}, job{tool: "echo"}, 1, m.scale.load)
	close(ended)
	dripping.Wait()
	if text := r.complaint(); text != "" {
		return errors.New(text)
	}
	m.set(m.measure, "p50 µs", micros(quantile(r.latencies, 0.5)))
	return nil
}
