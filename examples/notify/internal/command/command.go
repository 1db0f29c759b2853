// Package command is the command line of bote-notify: options, the banner, and exit
// codes. It owns what a person types and reads, and leaves the work to package app.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/examples/notify/internal/app"
	"github.com/botehq/bote/examples/notify/internal/mailer"
	"github.com/botehq/bote/examples/notify/internal/text"
	"github.com/botehq/bote/examples/notify/internal/traffic"
)

// readyTimeout is how long the banner waits for all parts to work.
const readyTimeout = 1500 * time.Millisecond

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs the command line until it is done or ctx ends, and returns the exit
// code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	lang := text.Environment(getenv)
	root := newRoot(lang, stdout, stderr, getenv)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "error:", err)
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// options are what the command line says.
type options struct {
	app           app.Config
	lang          string
	logLevel      string
	sampleTraffic bool
	printJSON     bool
}

func newRoot(lang text.Lang, stdout, stderr io.Writer, getenv func(string) string) *cobra.Command {
	t := func(en, ko string) string { return text.Text{EN: en, KO: ko}.In(lang) }
	o := &options{}
	run := func(ctx context.Context, api, worker bool) error {
		o.app.API, o.app.Worker = api, worker
		o.app.SMTPAuth = mailer.Auth{User: getenv("NOTIFY_SMTP_USER"), Password: getenv("NOTIFY_SMTP_PASSWORD")}
		return o.run(ctx, lang, stdout, stderr)
	}
	root := &cobra.Command{
		Use: "bote-notify", SilenceErrors: true, SilenceUsage: true, Args: noArgs,
		Short: t("Notification service: mails, texts and orders over Kafka", "알림 서비스: 메일, 문자, 주문을 Kafka로 처리"),
		Long: t("Without a command everything runs in this process: broker, API, worker, mail server and mailbox page.",
			"명령 없이 실행하면 브로커, API, 워커, 메일 서버, 메일함 페이지가 모두 이 프로세스에서 돌아갑니다."),
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), true, true) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	o.addFlags(root, t)
	root.AddCommand(
		&cobra.Command{
			Use: "api", Args: noArgs, Short: t("Run only the API, against the cluster at --bootstrap-server", "API만 실행 (--bootstrap-server 필요)"),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return apart(o, func() error { return run(cmd.Context(), true, false) })
			},
		},
		&cobra.Command{
			Use: "worker", Args: noArgs, Short: t("Run only the worker, against the cluster at --bootstrap-server", "워커만 실행 (--bootstrap-server 필요)"),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return apart(o, func() error { return run(cmd.Context(), false, true) })
			},
		},
	)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return &usageError{err}
	}
	return nil
}

// apart runs one part of the service alone. It refuses to do so with a broker in the same
// process, because no other part would use that broker.
func apart(o *options, run func() error) error {
	if len(o.app.BootstrapServers) == 0 {
		return &usageError{errors.New("--bootstrap-server HOST:PORT is needed to run a part alone")}
	}
	if o.sampleTraffic {
		return &usageError{errors.New("--sample-traffic needs API and worker in one process")}
	}
	return run()
}

func (o *options) addFlags(cmd *cobra.Command, t func(en, ko string) string) {
	f := cmd.PersistentFlags()
	f.StringSliceVarP(&o.app.BootstrapServers, "bootstrap-server", "b", nil, t("brokers `host:port,...` of a cluster; without them a broker runs in this process", "클러스터 브로커 `host:port,...` (없으면 이 프로세스에서 브로커 실행)"))
	f.StringVar(&o.app.Host, "host", "127.0.0.1", t("`address` to bind all ports to", "모든 포트를 바인드할 `주소`"))
	f.IntVar(&o.app.KafkaPort, "kafka-port", 9092, t("port of the broker; 0 means a free port, as for the other ports", "브로커 포트 (0이면 빈 포트를 자동 선택, 다른 포트도 동일)"))
	f.IntVar(&o.app.APIPort, "api-port", 8080, t("port of the API", "API 포트"))
	f.IntVar(&o.app.WorkerPort, "worker-port", 8081, t("port of the worker's health and metrics", "워커 상태·지표 포트"))
	f.IntVar(&o.app.SMTPPort, "smtp-port", 1025, t("port of the built-in mail server", "내장 메일 서버 포트"))
	f.StringVar(&o.app.SMTP, "smtp", "", t("mail server `host:port` instead of the built-in one (login: NOTIFY_SMTP_USER, NOTIFY_SMTP_PASSWORD)", "내장 서버 대신 쓸 메일 서버 `host:port` (로그인: NOTIFY_SMTP_USER, NOTIFY_SMTP_PASSWORD)"))
	f.StringVar(&o.app.Data, "data", "./notify-data", t("`directory` of the broker's data", "브로커 데이터 `디렉터리`"))
	f.BoolVar(&o.app.Ephemeral, "ephemeral", false, t("use a temporary directory and remove it at the end", "임시 디렉터리를 쓰고 끝나면 삭제"))
	f.StringVar(&o.app.AlertWebhook, "alert-webhook", "", t("`URL` that dead letters are posted to, in Slack's shape; without it they are logged", "데드 레터를 알릴 웹훅 `URL` (Slack 형식, 없으면 로그에 기록)"))
	f.DurationVar(&o.app.RetryDelay, "retry-delay", time.Second, t("wait before the second attempt; it doubles for each further one", "두 번째 시도까지의 대기 시간 (이후 두 배씩 늘어남)"))
	f.BoolVar(&o.app.PublishByGET, "publish-get", false, t("let GET /publish publish; on with the broker in this process", "GET /publish 허용 (내장 브로커를 쓰면 기본으로 허용)"))
	f.StringVar(&o.lang, "lang", string(text.Korean), t("language `en|ko` of answers to clients that ask for neither", "언어를 지정하지 않은 클라이언트에 응답할 언어 `en|ko`"))
	f.BoolVar(&o.sampleTraffic, "sample-traffic", false, t("send mails, texts and orders all the time, some of which fail", "메일·문자·주문을 계속 전송 (일부는 의도적으로 실패)"))
	f.BoolVar(&o.printJSON, "print-json", false, t("print the addresses as one line of JSON instead of the banner", "배너 대신 주소를 JSON 한 줄로 출력"))
	f.StringVar(&o.logLevel, "log-level", "warn", t("`level` of the log: debug, info, warn, error", "로그 `수준`: debug, info, warn, error"))
}

// finish checks the options, and fills in those that follow from others.
func (o *options) finish(stderr io.Writer) error {
	var ok bool
	if o.app.Lang, ok = text.Parse(o.lang); !ok {
		return &usageError{fmt.Errorf("--lang must be en or ko, not %q", o.lang)}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return &usageError{fmt.Errorf("--log-level must be debug, info, warn or error, not %q", o.logLevel)}
	}
	if o.app.RetryDelay < time.Millisecond || o.app.RetryDelay > time.Minute {
		return &usageError{fmt.Errorf("--retry-delay must be between 1ms and 1m, not %s", o.app.RetryDelay)}
	}
	if len(o.app.BootstrapServers) == 0 {
		o.app.PublishByGET = true
	}
	o.app.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	return nil
}

// run opens the app, says where it is, and runs it.
func (o *options) run(ctx context.Context, lang text.Lang, stdout, stderr io.Writer) error {
	if err := o.finish(stderr); err != nil {
		return err
	}
	a, err := app.Open(ctx, o.app)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() {
		done <- a.Run(ctx)
		stop()
	}()
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	a.AwaitReady(ready)
	cancel()
	if ctx.Err() == nil {
		o.announce(a.Addresses(), a.BrokerAway(), lang, stdout)
	}
	if o.sampleTraffic {
		_ = traffic.Traffic{API: a.Addresses().API, Logger: o.app.Logger}.Run(ctx) // it only ends with ctx
	}
	return <-done
}
