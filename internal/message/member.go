package message

import (
	"bytes"
	"slices"
)

// A member is a place in a message whose value a relay must know.
type member uint8

const (
	none member = iota
	// Of these the place in the message is remembered.
	id
	progressToken // params._meta.progressToken: where progress on this request belongs
	progressOf    // params.progressToken: which request this progress is about
	cancelled     // params.requestId: which request this cancels
	subscription  // params._meta."io.modelcontextprotocol/subscriptionId"
	closing       // result._meta."io.modelcontextprotocol/subscriptionId"
	protocol      // params._meta."io.modelcontextprotocol/protocolVersion"
	name          // params.name
	uri           // params.uri
	code          // error.code
	retryState    // params.requestState: what the retry of a call brings back
	resultState   // result.requestState: what a call needs to be brought back
	traceParent   // params._meta.traceparent (SEP-414)
	traceState    // params._meta.tracestate
	clientName    // params._meta."io.modelcontextprotocol/clientInfo".name
	clientVersion // its version
	toolError     // result.isError
	params
	meta   // params._meta
	placed // how many those are

	version
	method
	result
	failure     // error
	resultMeta  // result._meta
	clientInfo  // params._meta."io.modelcontextprotocol/clientInfo"
	logLevel    // params._meta."io.modelcontextprotocol/logLevel"
	relatedTask // params._meta."io.modelcontextprotocol/related-task"
	taskID      // its taskId
	taskOf      // params.taskId: which task a tasks/… request is about
	members
)

var memberNames = [members]string{
	version: "jsonrpc", id: "id", method: "method", params: "params", result: "result", failure: "error",
	meta: "params._meta", progressToken: "params._meta.progressToken", progressOf: "params.progressToken",
	cancelled: "params.requestId", relatedTask: "related-task", taskID: "related-task.taskId", taskOf: "params.taskId",
	subscription: "params._meta.subscriptionId", closing: "result._meta.subscriptionId",
	protocol: "params._meta.protocolVersion", logLevel: "params._meta.logLevel",
	name: "params.name", uri: "params.uri", code: "error.code", retryState: "params.requestState", resultState: "result.requestState", resultMeta: "result._meta",
	traceParent: "params._meta.traceparent", traceState: "params._meta.tracestate", toolError: "result.isError",
	clientInfo: "params._meta.clientInfo", clientName: "params._meta.clientInfo.name", clientVersion: "params._meta.clientInfo.version",
}

func (m member) String() string { return memberNames[m] }

// A room is an object whose keys matter. A message has few of them, and none lies deep.
type room uint8

const (
	elsewhere room = iota
	inMessage
	inParams
	inMeta
	inTask
	inClient
	inResult
	inResultMeta
	inError
)

// roomDepth is how many levels of nesting have rooms.
const roomDepth = 4

// member says what the key names in r.
func (r room) member(key []byte) member {
	switch r {
	case inMessage:
		switch string(key) {
		case "jsonrpc":
			return version
		case "id":
			return id
		case "method":
			return method
		case "params":
			return params
		case "result":
			return result
		case "error":
			return failure
		}
	case inParams:
		switch string(key) {
		case "_meta":
			return meta
		case "progressToken":
			return progressOf
		case "requestId":
			return cancelled
		case "taskId":
			return taskOf
		case "name":
			return name
		case "uri":
			return uri
		case "requestState":
			return retryState
		}
	case inMeta:
		switch string(key) {
		case "progressToken":
			return progressToken
		case "io.modelcontextprotocol/related-task":
			return relatedTask
		case "io.modelcontextprotocol/protocolVersion":
			return protocol
		case "io.modelcontextprotocol/subscriptionId":
			return subscription
		case "io.modelcontextprotocol/logLevel":
			return logLevel
		case "io.modelcontextprotocol/clientInfo":
			return clientInfo
		case "traceparent":
			return traceParent
		case "tracestate":
			return traceState
		}
	case inClient:
		switch string(key) {
		case "name":
			return clientName
		case "version":
			return clientVersion
		}
	case inTask:
		if string(key) == "taskId" {
			return taskID
		}
	case inResult:
		switch string(key) {
		case "_meta":
			return resultMeta
		case "requestState":
			return resultState
		case "isError":
			return toolError
		}
	case inResultMeta:
		if string(key) == "io.modelcontextprotocol/subscriptionId" {
			return closing
		}
	case inError:
		if string(key) == "code" {
			return code
		}
	}
	return none
}

// lookalikes are keys that parsers which do not mind case take for the keys of a request that count.
var lookalikes = [...][][]byte{
	inMessage: {[]byte("id"), []byte("method"), []byte("params")},
	inParams:  {[]byte("_meta"), []byte("name"), []byte("uri"), []byte("requestState")},
	inMeta:    {[]byte("progressToken"), []byte("io.modelcontextprotocol/protocolVersion")},
}

// lookalike reports whether key, which names no member, differs from one only in its case. Some letters beyond ASCII are
// others in another case, and longer: readers in Go take U+017F for an s.
func (r room) lookalike(key []byte) bool {
	return int(r) < len(lookalikes) && slices.ContainsFunc(lookalikes[r], func(like []byte) bool { return bytes.EqualFold(key, like) })
}

// roomOf is the room that opens when the value of a member is an object.
var roomOf = [members]room{
	params: inParams, meta: inMeta, relatedTask: inTask, clientInfo: inClient,
	result: inResult, resultMeta: inResultMeta, failure: inError,
}

// kept are the members of whose values the text is kept, which bounds them.
var kept = [members]bool{
	id: true, version: true, method: true, progressToken: true, progressOf: true, cancelled: true, taskID: true, taskOf: true,
}

// unique are the members of which a second one in a request leaves open which of the two its reader takes.
var unique = [members]bool{
	id: true, method: true, params: true, meta: true, progressToken: true, protocol: true, name: true, uri: true, retryState: true,
}

// within lists, for a member, itself and those inside it: what a second one makes void.
var within = [members][]member{
	params: paramsMembers[:], meta: paramsMembers[1:13], relatedTask: paramsMembers[6:8], clientInfo: paramsMembers[10:13],
	result: resultMembers[:], resultMeta: resultMembers[1:3],
	failure: {failure, code},
}

var (
	paramsMembers = [...]member{
		params, meta, progressToken, protocol, subscription, logLevel, relatedTask, taskID,
		traceParent, traceState, clientInfo, clientName, clientVersion,
		progressOf, cancelled, taskOf, name, uri, retryState,
	}
	resultMembers = [...]member{result, resultMeta, closing, resultState, toolError}
)
