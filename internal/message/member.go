package message

// A member is a place in a message whose value a relay must know.
type member uint8

const (
	none member = iota
	version
	id
	method
	params
	result
	failure       // error
	meta          // params._meta
	progressToken // params._meta.progressToken: where progress on this request belongs
	progressOf    // params.progressToken: which request this progress is about
	cancelled     // params.requestId: which request this cancels
	relatedTask   // params._meta."io.modelcontextprotocol/related-task"
	taskID        // its taskId
	taskOf        // params.taskId: which task a tasks/… request is about
	members
)

var memberNames = [members]string{
	version: "jsonrpc", id: "id", method: "method", params: "params", result: "result", failure: "error",
	meta: "params._meta", progressToken: "params._meta.progressToken", progressOf: "params.progressToken",
	cancelled: "params.requestId", relatedTask: "related-task", taskID: "related-task.taskId", taskOf: "params.taskId",
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
		}
	case inMeta:
		switch string(key) {
		case "progressToken":
			return progressToken
		case "io.modelcontextprotocol/related-task":
			return relatedTask
		}
	case inTask:
		if string(key) == "taskId" {
			return taskID
		}
	}
	return none
}

// room is the room that opens when m's value is an object.
func (m member) room() room {
	switch m {
	case params:
		return inParams
	case meta:
		return inMeta
	case relatedTask:
		return inTask
	}
	return elsewhere
}

// kept reports whether the text of m's value is kept.
func (m member) kept() bool {
	switch m {
	case none, params, result, failure, meta, relatedTask:
		return false
	}
	return true
}

// within lists m and the members inside it: what a second m makes void.
func (m member) within() []member {
	switch m {
	case params:
		return paramsMembers[:]
	case meta:
		return paramsMembers[1:5]
	case relatedTask:
		return paramsMembers[3:5]
	}
	return nil
}

var paramsMembers = [...]member{params, meta, progressToken, relatedTask, taskID, progressOf, cancelled, taskOf}
