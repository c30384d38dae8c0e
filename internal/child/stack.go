package child

// OnOwnStack runs f on a stack of its own and waits for it. A goroutine's stack grows with what it does,
// and rarely shrinks as far again: a goroutine that waits for a process for hours has others make deep calls.
func OnOwnStack(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
