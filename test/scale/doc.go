// Package scale serves one project by several instances behind a front that deals requests out in
// turn, as Azure Functions does: no request is sure to reach the instance that the one before it
// reached, and instances come and go. Real clients of three SDKs call real servers through it.
//
// Each instance is a Functions host of its own, by internal/hostemu, with a handler of its own and
// nothing in common but the app's settings. To end one its host kills the handler, without a warning,
// as on Azure; what it was serving at that moment fails, whatever we do, and the front answers 502 as
// Azure's does. So the front counts requests that a kill hit apart from those that failed on their
// own: of these there are to be none.
//
// The tests have the build tag e2e and need the tools of test/e2e/tools/install.sh. With -short they make
// fewer calls:
//
//	test/e2e/tools/install.sh && go test -tags e2e -v -short ./test/scale
package scale
