package rerun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"

	"github.com/kvarter/kvarter/internal/fault"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 2 * time.Second
	// After the limit of a cell: how long its program has to end by itself.
	interruptTimeout = 5 * time.Second
)

// toolchain is a folder that holds the kernel and the programs it calls.
type toolchain struct {
	dir string
	env []string // in which they run
}

// The programs of the kernel, both a `tool` in go.mod.
var toolPackages = map[string]string{
	"gonb":      "github.com/janpfeifer/gonb",
	"goimports": "golang.org/x/tools/cmd/goimports",
}

// buildKernel builds the kernel from the module in the folder repo into dir, or does nothing
// where what is there is up to date.
func buildKernel(ctx context.Context, repo, dir string) (_ toolchain, err error) {
	defer fault.Wrap(&err, "building the Go kernel")
	if err := buildable(repo); err != nil {
		return toolchain{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return toolchain{}, err
	}
	env, err := environment(ctx)
	if err != nil {
		return toolchain{}, err
	}
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range sortedKeys(toolPackages) {
		args = append(args, toolPackages[name])
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = repo
	cmd.Env = env
	if output, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return toolchain{}, ctx.Err()
		}
		return toolchain{}, fault.Unavailablef("the Go kernel cannot be built in %s: %w\n%s", repo, err,
			bytes.TrimSpace(output))
	}
	return toolchain{dir, env}, nil
}

// buildable says what keeps the kernel from being built from the folder repo.
func buildable(repo string) error {
	if _, err := os.Stat(filepath.Join(repo, "go.mod")); err != nil {
		return fault.Invalidf("%s is not the folder of the repository: it has no go.mod", repo)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return fault.Unavailablef("the program go is not on the PATH; the notebooks are compiled with it")
	}
	return nil
}

func (t toolchain) program(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(t.dir, name)
}

// kernel is a running kernel.
type kernel struct {
	wire    wire
	dir     string // its temporary files; removed at the end
	process *exec.Cmd
	log     *tail
	shell   zmq4.Socket
	control zmq4.Socket
	iopub   zmq4.Socket
	replies chan message // of the shell
	news    chan message // of iopub
	broken  chan error   // a message that could not be read
	ended   chan struct{}
	endErr  error // why the process ended; set before ended is closed
	cancel  context.CancelFunc
}

// errDied says that the kernel's process is gone.
var errDied = errors.New("the kernel ended")

// errTimeout says that a cell took longer than its limit.
var errTimeout = errors.New("the cell took too long")

// startKernel starts a kernel in the folder of a notebook, whose cells see the module in
// repo, the server at url as KVARTER_URL ("" leaves the caller's), and env.
func startKernel(ctx context.Context, tools toolchain, repo, folder, url string, env []string) (_ *kernel, err error) {
	defer fault.Wrap(&err, "starting the kernel")
	k := &kernel{wire: newWire(), log: &tail{}, replies: make(chan message, 64), news: make(chan message, 1024),
		broken: make(chan error, 8), ended: make(chan struct{})}
	if k.dir, err = os.MkdirTemp("", "kvarter-"); err != nil {
		return nil, err
	}
	socketContext, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.cancel = cancel
	defer func() {
		if err != nil {
			k.stop()
		}
	}()
	address, connection, err := k.connection()
	if err != nil {
		return nil, err
	}
	k.process = exec.Command(tools.program("gonb"), "--kernel", connection, "-raw_error", "-go_work="+repo)
	k.process.Dir = folder
	k.process.Stderr = k.log
	k.process.Env = append(slices.Clone(tools.env),
		"PATH="+tools.dir+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"TMPDIR="+k.dir, "TMP="+k.dir, "TEMP="+k.dir,
		// Without debug information, linking a cell takes a third less.
		"GOFLAGS=-ldflags=-w")
	if url == "" {
		k.process.Env = append(k.process.Env, ownVariables()...)
	} else {
		k.process.Env = append(k.process.Env, "KVARTER_URL="+url)
	}
	k.process.Env = append(k.process.Env, env...)
	ownGroup(k.process)
	started := make(chan error)
	go func() {
		// The thread stays, since Linux ends the kernel with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := k.process.Start()
		started <- err
		if err == nil {
			k.endErr = k.process.Wait()
			close(k.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}

	ctx, stopWaiting := context.WithTimeout(ctx, startTimeout)
	defer stopWaiting()
	options := []zmq4.Option{zmq4.WithDialerRetry(20 * time.Millisecond), zmq4.WithDialerMaxRetries(-1),
		zmq4.WithLogger(log.New(io.Discard, "", 0))}
	k.shell, k.control, k.iopub = zmq4.NewDealer(socketContext, options...), zmq4.NewDealer(socketContext,
		options...), zmq4.NewSub(socketContext, options...)
	dialled := make(chan error, 1)
	go func() {
		if err := k.iopub.SetOption(zmq4.OptionSubscribe, ""); err != nil {
			dialled <- err
			return
		}
		dialled <- errors.Join(k.iopub.Dial(address(portIOPub)), k.shell.Dial(address(portShell)),
			k.control.Dial(address(portControl)))
	}()
	select {
	case err := <-dialled:
		if err != nil {
			return nil, err
		}
	case <-k.ended:
		return nil, k.death()
	case <-ctx.Done():
		return nil, fault.Unavailablef("the kernel did not open its connections within %s\n%s", startTimeout, k.log)
	}
	go k.receive(k.shell, k.replies)
	go k.receive(k.iopub, k.news)
	return k, k.ready(ctx)
}

// Port numbers have a meaning on TCP; on Unix they only tell the sockets apart.
const (
	portShell = iota + 1
	portIOPub
	portStdin
	portControl
	portHeartbeat
)

// connection writes the connection file and returns how to address a port. On Unix the
// sockets are files in the kernel's own folder, where no other program meets them.
func (k *kernel) connection() (address func(port int) string, file string, err error) {
	info := object{"key": string(k.wire.key), "signature_scheme": "hmac-sha256", "kernel_name": "kvarter"}
	ports := [...]int{0, 1, 2, 3, 4, 5}
	if prefix := filepath.Join(k.dir, "s"); runtime.GOOS != "windows" && len(prefix) < 90 {
		info["transport"], info["ip"] = "ipc", prefix
		address = func(port int) string { return fmt.Sprintf("ipc://%s-%d", prefix, port) }
	} else {
		info["transport"], info["ip"] = "tcp", "127.0.0.1"
		for i := range ports[1:] {
			if ports[i+1], err = freePort(); err != nil {
				return nil, "", err
			}
		}
		address = func(port int) string { return fmt.Sprintf("tcp://127.0.0.1:%d", ports[port]) }
	}
	info["shell_port"], info["iopub_port"], info["stdin_port"] = ports[portShell], ports[portIOPub], ports[portStdin]
	info["control_port"], info["hb_port"] = ports[portControl], ports[portHeartbeat]
	text, err := json.Marshal(info)
	if err != nil {
		return nil, "", err
	}
	file = filepath.Join(k.dir, "kernel.json")
	return address, file, os.WriteFile(file, text, 0o600)
}

// freePort is a TCP port that nothing listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// receive passes on the messages of a socket until it is closed.
func (k *kernel) receive(socket zmq4.Socket, to chan<- message) {
	for {
		raw, err := socket.Recv()
		if err != nil {
			return
		}
		m, err := k.wire.parse(raw.Frames)
		if err != nil {
			select {
			case k.broken <- err:
			case <-k.ended:
				return
			}
			continue
		}
		select {
		case to <- m:
		case <-k.ended:
			return
		}
	}
}

// ready waits until the kernel answers on both channels; news before that would be lost.
func (k *kernel) ready(ctx context.Context) error {
	asked := map[string]bool{}
	var answered, heard bool
	for !answered || !heard {
		msg, id, err := k.wire.request("kernel_info_request", object{})
		if err != nil {
			return err
		}
		asked[id] = true
		if err := k.shell.SendMulti(msg); err != nil {
			return err
		}
		again := time.After(250 * time.Millisecond)
	waiting:
		for !answered || !heard {
			select {
			case m := <-k.replies:
				answered = answered || asked[m.Parent.ID]
			case m := <-k.news:
				heard = heard || asked[m.Parent.ID]
			case err := <-k.broken:
				return err
			case <-again:
				break waiting
			case <-k.ended:
				return k.death()
			case <-ctx.Done():
				return fault.Unavailablef("the kernel did not get ready within %s\n%s", startTimeout, k.log)
			}
		}
	}
	return nil
}

// execution is what came of a cell.
type execution struct {
	count   int
	outputs []object
	failure string // "" if the cell ran to its end
	elapsed time.Duration
}

// execute runs code and collects its outputs. It returns errDied or errTimeout, with what
// came before, if the kernel is of no use afterwards.
func (k *kernel) execute(ctx context.Context, code string, limit time.Duration) (execution, error) {
	var e execution
	start := time.Now()
	msg, id, err := k.wire.request("execute_request", object{"code": code, "silent": false, "store_history": true,
		"user_expressions": object{}, "allow_stdin": false, "stop_on_error": true})
	if err != nil {
		return e, err
	}
	if err := k.shell.SendMulti(msg); err != nil {
		select {
		case <-k.ended:
			return e, k.death()
		case <-time.After(stopTimeout):
			return e, err
		}
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var outputs collector
	var replied, idle, interrupted bool
	for !replied || !idle {
		select {
		case m := <-k.replies:
			if m.Parent.ID != id || m.Header.Type != "execute_reply" {
				continue
			}
			replied = true
			if count, ok := m.Content["execution_count"].(json.Number); ok {
				n, _ := count.Int64()
				e.count = int(n)
			}
			if m.Content["status"] != "ok" {
				e.failure = k.failure(m.Content)
			}
		case m := <-k.news:
			if m.Parent.ID != id {
				continue
			}
			if m.Header.Type == "status" && m.Content["execution_state"] == "idle" {
				idle = true
			}
			outputs.add(m)
		case err := <-k.broken:
			return e, err
		case <-timeout.C:
			if interrupted {
				e.outputs = outputs.list
				return e, errTimeout
			}
			interrupted = true
			k.interrupt()
			timeout.Reset(interruptTimeout)
		case <-k.ended:
			e.outputs = outputs.list
			return e, k.death()
		case <-ctx.Done():
			return e, ctx.Err()
		}
	}
	e.outputs, e.elapsed = outputs.list, time.Since(start)
	if interrupted {
		return e, errTimeout
	}
	return e, nil
}

// failure is the error of a cell in words. The kernel names places in the program that it
// makes of the cell; here they become lines of the cell.
func (k *kernel) failure(content object) string {
	value, _ := content["evalue"].(string)
	traceback, _ := content["traceback"].([]any)
	var said []string
	for i, line := range strings.Split(value, "\n") {
		if madeProgram.MatchString(line) {
			continue
		}
		if i < len(traceback) {
			context, _ := traceback[i].(string)
			if at := cellLine.FindStringSubmatch(context); at != nil {
				line = madePlace.ReplaceAllString(line, "line "+at[1]+": ")
			}
		}
		said = append(said, line)
	}
	if text := strings.TrimSpace(k.withoutPaths(strings.Join(said, "\n"))); text != "" {
		return text
	}
	return "it failed without a message"
}

func (k *kernel) interrupt() {
	if msg, _, err := k.wire.request("interrupt_request", object{}); err == nil {
		// If it cannot be sent the cell does not end, and the kernel is killed.
		_ = k.control.SendMulti(msg)
	}
}

// death is errDied with how the process ended and its last words.
func (k *kernel) death() error {
	<-k.ended
	how := "exit status 0"
	if k.endErr != nil {
		how = k.endErr.Error()
	}
	return fmt.Errorf("%w (%s)", errDied, how)
}

// stop ends the kernel and every program that it started, and removes its files.
func (k *kernel) stop() {
	if k.process != nil && k.process.Process != nil {
		if k.control != nil {
			if msg, _, err := k.wire.request("shutdown_request", object{"restart": false}); err == nil {
				go k.control.SendMulti(msg)
			}
			select {
			case <-k.ended:
			case <-time.After(stopTimeout):
			}
		}
		killGroup(k.process)
		<-k.ended
	}
	k.cancel()
	for _, socket := range []zmq4.Socket{k.shell, k.control, k.iopub} {
		if socket != nil {
			socket.Close()
		}
	}
	os.RemoveAll(k.dir)
}

// withoutPaths takes the kernel's temporary folder out of a text.
func (k *kernel) withoutPaths(text string) string {
	return ansi.ReplaceAllString(gonbFolder.ReplaceAllString(strings.ReplaceAll(text, k.dir, ""), ""), "")
}

// collector puts together the outputs of a cell as Jupyter does.
type collector struct {
	list      []object
	shown     map[string]object // by display id
	clearNext bool
}

func (c *collector) add(m message) {
	switch m.Header.Type {
	case "stream":
		name, _ := m.Content["name"].(string)
		text, _ := m.Content["text"].(string)
		c.clear()
		if last := len(c.list) - 1; last >= 0 && c.list[last]["output_type"] == "stream" && c.list[last]["name"] == name {
			c.list[last]["text"] = c.list[last]["text"].(string) + text
			return
		}
		c.list = append(c.list, object{"output_type": "stream", "name": name, "text": text})
	case "display_data", "execute_result", "update_display_data":
		data, _ := m.Content["data"].(object)
		metadata, _ := m.Content["metadata"].(object)
		if metadata == nil {
			metadata = object{}
		}
		transient, _ := m.Content["transient"].(object)
		id, _ := transient["display_id"].(string)
		if m.Header.Type == "update_display_data" {
			if shown := c.shown[id]; shown != nil {
				shown["data"], shown["metadata"] = data, metadata
			}
			return
		}
		c.clear()
		output := object{"output_type": m.Header.Type, "data": data, "metadata": metadata}
		if m.Header.Type == "execute_result" {
			output["execution_count"] = m.Content["execution_count"]
		}
		if id != "" {
			if c.shown == nil {
				c.shown = map[string]object{}
			}
			c.shown[id] = output
		}
		c.list = append(c.list, output)
	case "error":
		c.clear()
		c.list = append(c.list, object{"output_type": "error", "ename": m.Content["ename"], "evalue": m.Content["evalue"],
			"traceback": m.Content["traceback"]})
	case "clear_output":
		if wait, _ := m.Content["wait"].(bool); wait {
			c.clearNext = true
			return
		}
		c.clearNext = true
		c.clear()
	}
}

func (c *collector) clear() {
	if c.clearNext {
		c.list, c.clearNext = nil, false
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const size = 4096
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > size {
		t.text = append([]byte(nil), t.text[len(t.text)-size:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
