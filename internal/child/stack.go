package child

// OnOwnStack runs f on a stack of its own and waits for it. A goroutine's stack grows with what it does,
// and hardly ever shrinks as far again: who waits for a process for hours has others do what goes deep.
func OnOwnStack(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
