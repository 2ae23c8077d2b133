//! The command line as a process: what is printed where, what is an error, and how it ends.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::client::Request;
use crate::harness::{ALERT, environment, new_sandbox};

/// The program in an empty environment.
fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_defender-enrich"));
    program.args(arguments).env_clear().stdin(Stdio::null());
    program
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = program(arguments).envs(environment.iter().copied()).output().expect("a process");
    told(&output)
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A folder of this test, empty.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&folder));
    folder
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_an_error() {
    for arguments in [
        &["openapi"][..],
        &["check", "--demo"],
        &["lookup", "alert", ALERT, "--demo"],
        &["completions", "bash"],
        &["--help"],
        &["lookup", "--help"],
        &["help", "check"],
        &["--version"],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("a full disk");
        let output = program(arguments).stdout(full).output().expect("a process");
        let (status, _, errors) = told(&output);
        assert_eq!(status, Some(3), "{arguments:?}");
        assert!(errors.starts_with("defender-enrich: cannot write to standard output: "), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let mut child = program(&["openapi"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process");
    drop(child.stdout.take());
    let (status, _, errors) = told(&child.wait_with_output().expect("an end"));
    assert_eq!((status, errors.as_str()), (Some(0), ""));
}

#[test]
fn a_pipe_gets_json_and_another_format_where_one_is_named() {
    let (status, text, _) = run(&["lookup", "alert", ALERT, "--demo"], &[]);
    assert!(
        status == Some(0) && serde_json::from_str::<Value>(&text).is_ok_and(|answer| answer["found"] == true),
        "{text}"
    );
    let (status, text, _) = run(&["lookup", "alert", ALERT, "--demo", "--format", "text"], &[]);
    assert!(status == Some(0) && text.starts_with("High alert"), "{text}");
    let (status, text, _) = run(&["lookup", "user", "nobody", "--demo", "--format", "ocsf_ndjson"], &[]);
    assert_eq!((status, text.as_str()), (Some(1), ""), "no event is no line");
}

#[test]
fn a_folder_for_the_documents_is_made() {
    let folder = folder("openapi");
    let inner = folder.join("a/b");
    let (status, _, errors) = run(&["openapi", "--write", inner.to_str().expect("a path")], &[]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(inner.join("openapi.json").is_file() && inner.join("request.schema.json").is_file());
    fs::write(folder.join("file"), "").expect("a file");
    let (status, _, errors) = run(&["openapi", "--write", folder.join("file").to_str().expect("a path")], &[]);
    assert!(status == Some(3) && errors.starts_with("defender-enrich: cannot write "), "{errors}");
}

#[test]
fn mcp_answers_lines_until_its_input_ends() {
    let mut server = program(&["mcp", "--demo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let lines = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        String::new(),
        format!(
            r#"{{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{{"name":"defender_lookup","arguments":{{"value":"{ALERT}"}}}}}}"#
        ),
    ];
    // Dropping the pipe ends the input while the first call still runs.
    server.stdin.take().expect("a pipe").write_all((lines.join("\n") + "\n").as_bytes()).expect("a reader");
    let (status, text, _) = told(&server.wait_with_output().expect("a process"));
    assert_eq!(status, Some(0), "{text}");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [Value::from(1), Value::from("a")], "{text}");
    assert_eq!(answers[1]["result"]["structuredContent"]["id"], ALERT);
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (status, text, errors) = run(&["completions", shell], &[]);
        assert_eq!((status, errors.as_str()), (Some(0), ""));
        assert!(text.contains("defender-enrich") && text.contains("lookup"), "{shell}: {text}");
    }
    assert_eq!(run(&["completions", "tcsh"], &[]).0, Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn bash_completes_the_options_of_a_subcommand() {
    let folder = folder("completions");
    fs::create_dir_all(&folder).expect("a folder");
    let script = folder.join("defender-enrich.bash");
    fs::write(&script, run(&["completions", "bash"], &[]).1).expect("a file");
    let complete = "source \"$0\"; COMP_WORDS=(defender-enrich \"$1\" \"$2\"); COMP_CWORD=2; \
                    [[ $(complete -p defender-enrich) =~ -F\\ ([^ ]+) ]]; \"${BASH_REMATCH[1]}\" defender-enrich \"$2\" \"$1\"; \
                    echo \"${COMPREPLY[*]}\"";
    for (command, start, completion) in
        [("lookup", "--fo", "--format"), ("check", "--ur", "--url"), ("openapi", "--w", "--write")]
    {
        let arguments = ["-c", complete, script.to_str().expect("a path"), command, start];
        let output = Command::new("bash").args(arguments).output().expect("bash");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), completion, "{output:?}");
    }
}

#[test]
fn an_id_that_the_backend_cannot_look_up_is_bad_input() {
    let (status, text, errors) =
        run(&["lookup", "user", "S-1-5-21-1-2-3-4", "--demo"], &[("DEFENDER_BACKEND", "defender")]);
    assert_eq!((status, text.as_str()), (Some(2), ""));
    assert!(errors.contains("invalid_id"), "{errors}");
}

#[test]
fn a_taken_port_and_missing_settings_say_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (status, _, errors) = run(&["serve", "--demo", "--listen", &address], &[]);
    assert_eq!(status, Some(3));
    let what = format!("defender-enrich: cannot listen on {address}: another program listens there. ");
    assert!(errors.starts_with(&what) && errors.contains("--listen 127.0.0.1:0"), "{errors}");
    for arguments in [&["serve"][..], &["lookup", "machine", "desk-042"]] {
        let (status, text, errors) = run(arguments, &[]);
        assert_eq!((status, text.as_str()), (Some(3), ""));
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.contains("DEFENDER_SECRET_ID must be set") && errors.contains("--demo"), "{errors}");
    }
}

#[test]
fn a_wrong_setting_is_one_sentence_of_either_program() {
    let needed = [("DEFENDER_SECRET_ID", "x"), ("AWS_REGION", "eu-central-1")];
    for (name, value) in [
        ("RUST_LOG", "CANARY"),
        ("AWS_LAMBDA_LOG_LEVEL", "CANARY"),
        ("AWS_LAMBDA_LOG_FORMAT", "CANARY"),
        ("ENRICH_AUTH", "CANARY"),
    ] {
        for mut program in [program(&["serve"]), Command::new(env!("CARGO_BIN_EXE_lambda"))] {
            program.env_clear().envs(needed).env(name, value);
            let (status, text, errors) = told(&program.output().expect("a process"));
            assert!(status.is_some_and(|status| status != 0), "{name}: {errors}");
            assert_eq!(format!("{text}{errors}").matches(name).count(), 1, "{name}: {text}{errors}");
            assert!(errors.contains("must be one of: ") && !errors.contains("CANARY"), "{errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
    }
}

#[test]
fn neither_program_answers_everybody_unless_that_is_allowed() {
    // No machine has this address, so that nothing ever listens there.
    for mut program in [program(&["serve", "--listen", "192.0.2.1:9000"]), Command::new(env!("CARGO_BIN_EXE_lambda"))] {
        program.env_clear().envs([
            ("DEFENDER_SECRET_ID", "x"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("ENRICH_AUTH", "none"),
        ]);
        let (status, text, errors) = told(&program.output().expect("a process"));
        assert!(status.is_some_and(|status| status != 0), "{text}{errors}");
        assert!(errors.contains("ENRICH_AUTH must not be none beyond loopback"), "{text}{errors}");
    }
}

#[cfg(unix)]
#[test]
fn aws_profiles_without_usable_credentials_are_one_sentence_of_advice() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder("profiles");
    fs::create_dir_all(&folder).expect("a folder");
    let process = folder.join("credentials.sh");
    let answer = r#"{"Version":1,"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"canary","SessionToken":"canary"}"#;
    fs::write(&process, format!("#!/bin/sh\necho '{answer}'\n")).expect("a file");
    fs::set_permissions(&process, fs::Permissions::from_mode(0o700)).expect("an executable file");
    let config = folder.join("config");
    let text = format!(
        "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Reader\nregion = eu-central-1\n\
         [sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = eu-central-1\n\
         [profile process]\ncredential_process = {}\nregion = eu-central-1\n\
         [profile nowhere]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = canary\n",
        process.display()
    );
    fs::write(&config, text).expect("a file");
    let environment = [
        ("DEFENDER_SECRET_ID", "x"),
        ("HOME", folder.to_str().expect("a path")),
        ("AWS_CONFIG_FILE", config.to_str().expect("a path")),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"),
    ];
    for (profile, sentence) in [
        ("sso", "AWS credentials: the profile gives none: run aws sso login"),
        ("nowhere", "AWS_REGION must be set"),
        ("missing", "AWS_PROFILE must name a profile that has credentials"),
    ] {
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["lookup", "alert", ALERT]] {
            let variables = [&environment[..], &[("AWS_PROFILE", profile)]].concat();
            let (status, text, errors) = run(arguments, &variables);
            assert_eq!((status, text.as_str()), (Some(3), ""), "{profile}: {errors}");
            assert!(errors.starts_with(&format!("defender-enrich: {sentence}")), "{profile}: {errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
    }
    let variables = [&environment[..], &[("AWS_PROFILE", "process"), ("ENRICH_TIMEOUT_MS", "1000")]].concat();
    let (status, _, errors) = run(&["lookup", "alert", ALERT], &variables);
    assert!(status == Some(3) && errors.contains("AWS does not answer: is there a way from here"), "{errors}");
    assert!(!errors.contains("the function's role") && !errors.contains("canary"), "{errors}");
}

/// `serve` on a free port.
struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// Of the first line.
    address: String,
}

impl Server {
    fn start(environment: &[(&str, &str)]) -> Self {
        let mut program = program(&["serve", "--demo", "--listen", "localhost:0"]);
        program.envs(environment.iter().copied());
        Self::listening(program)
    }

    /// Starts a server, and reads its first line.
    fn listening(mut program: Command) -> Self {
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://").expect("an address").to_owned();
        Self { child, output, address }
    }

    /// The lines up to one that begins like this.
    fn until(&mut self, begin: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).expect("a line"), 0, "no {begin:?} in {lines:?}");
            let is_last = line.starts_with(begin);
            lines.push(line.trim_end().to_owned());
            if is_last {
                return lines;
            }
        }
    }

    /// Asks it to end: its exit status, and its log.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(kill).status().expect("a shell").success());
        let mut log = String::new();
        self.child.stderr.take().expect("its log").read_to_string(&mut log).expect("UTF-8");
        (self.child.wait().expect("an end").code(), log)
    }
}

#[cfg(unix)]
#[test]
fn a_signal_right_after_the_first_line_ends_it_in_order() {
    for signal in ["TERM", "INT"] {
        let demo = Server::start(&[]);
        assert!(demo.address.starts_with("127.0.0.1:"), "localhost is asked by version 4: {}", demo.address);
        assert_eq!(demo.end(signal).0, Some(0), "{signal}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_demo_starts_without_a_warning_and_shows_what_a_destination_gets() {
    let mut demo = Server::start(&[("TERM", "xterm-256color")]);
    let guide = demo.until("Ctrl-C ends it.").join("\n");
    assert!(guide.contains("DEFENDER_BACKEND=graph defender-enrich serve --demo"), "{guide}");
    let address = demo.address.parse().expect("an address");
    let response = Request::get(&format!("/v1/enrich?alert_id={ALERT}&notify=demo")).send_to(address).await;
    assert_eq!(response.answer()["notified"]["outcome"], "delivered", "{}", response.text());
    let line = demo.until("destination demo: ").pop().unwrap_or_default();
    assert!(line.contains("High alert"), "{line}");
    let inbox = guide.lines().find_map(|line| line.strip_prefix("curl -s 'http://")).expect("an address");
    let inbox = inbox.trim_end_matches("/'").parse().expect("an address");
    let kept = Request::new("GET", "/").anonymous().send_to(inbox).await.json();
    assert!(kept["received"][0]["blocks"].is_array(), "{kept}");
    let (status, log) = tokio::task::spawn_blocking(move || demo.end("TERM")).await.expect("a thread");
    assert_eq!(status, Some(0));
    assert!(!log.contains("WARN") && !log.contains("ERROR") && !log.contains("MC1220762"), "{log}");
    assert!(log.contains("INFO") && !log.contains('\u{1b}'), "no colours in a file: {log}");
}

#[cfg(unix)]
#[tokio::test]
async fn serve_without_authentication_refuses_the_pages_of_other_hosts() {
    let sandbox = new_sandbox().await;
    let mut serve = program(&["serve", "--listen", "127.0.0.1:0"]);
    serve.envs(environment(&sandbox, &[("ENRICH_AUTH", "none")]));
    let server = Server::listening(serve);
    let address = server.address.parse().expect("an address");
    let lookup = Request::get(&format!("/v1/enrich?alert_id={ALERT}")).anonymous();
    lookup.clone().with("origin", "https://page.example").send_to(address).await.problem(403, "forbidden_origin");
    lookup.send_to(address).await.answer();
    let (status, _) = tokio::task::spawn_blocking(move || server.end("TERM")).await.expect("a thread");
    assert_eq!(status, Some(0));
}
