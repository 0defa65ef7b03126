//! A provider that answers from a script, named in the last message: it costs as little as it can.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

/// How many deltas a plain answer has.
pub(crate) const DELTAS: usize = 50;

/// How far apart the deltas of a paced answer are.
pub(crate) const PACE: Duration = Duration::from_millis(10);

/// The longest that an answer is held open.
const HOLD_LIMIT: Duration = Duration::from_secs(180);

/// The most bytes of a request.
const REQUEST_LIMIT: usize = 4 * 1024 * 1024;

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// What is answered, by the word behind `bench:` in the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// Fifty deltas at once.
    Plain,
    /// One delta at once.
    Short,
    /// Fifty deltas, one every ten milliseconds.
    Paced,
    /// One delta, and the rest when `POST /release` comes.
    Held,
    /// A call of a tool that writes, and a plain answer once it has its result.
    Tool,
    /// The end of all answers that are held.
    Release,
}

/// Every answer, made once.
struct Answers {
    plain: Vec<u8>,
    deltas: Vec<Vec<u8>>,
    end: Vec<u8>,
    short: Vec<u8>,
    call: Vec<u8>,
}

/// Serves on a free port, which is printed, until the process is killed.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    print_address(&listener)?;
    let answers = Arc::new(Answers::make());
    let released = watch::Sender::new(0_u64);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (answers, released) = (Arc::clone(&answers), released.clone());
        tokio::spawn(async move {
            // A client that hangs up ends its connection, and nothing else.
            let _ = connection(stream, &answers, &released).await;
        });
    }
}

/// Tells whoever started this process where it listens.
pub(crate) fn print_address(listener: &TcpListener) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    Ok(out.flush()?)
}

async fn connection(
    mut stream: TcpStream,
    answers: &Answers,
    released: &watch::Sender<u64>,
) -> anyhow::Result<()> {
    let mut request = Vec::with_capacity(4 * 1024);
    while let Some(end) = read_request(&mut stream, &mut request).await? {
        let script = script(request.get(..end).unwrap_or_default());
        request.drain(..end);
        answer(&mut stream, script, answers, released).await?;
    }
    Ok(())
}

/// Reads until a request is whole and returns its length; nothing if the client has hung up.
async fn read_request(stream: &mut TcpStream, request: &mut Vec<u8>) -> anyhow::Result<Option<usize>> {
    loop {
        if let Some(length) = length_of(request)
            && request.len() >= length
        {
            return Ok(Some(length));
        }
        anyhow::ensure!(request.len() < REQUEST_LIMIT, "a request is too long");
        if stream.read_buf(request).await? == 0 {
            return Ok(None);
        }
    }
}

/// Returns how long a request is, once its head is there.
fn length_of(request: &[u8]) -> Option<usize> {
    let head = memmem::find(request, b"\r\n\r\n")?;
    let text = std::str::from_utf8(request.get(..head)?).ok()?;
    let body = text.lines().filter_map(|line| line.split_once(':'));
    let mut body = body.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body = body.next().map_or(Some(0), |(_, length)| length.trim().parse::<usize>().ok())?;
    Some(head + 4 + body)
}

fn script(request: &[u8]) -> Script {
    if request.starts_with(b"POST /release") {
        return Script::Release;
    }
    let at = memmem::rfind(request, b"bench:").unwrap_or(request.len());
    let said = request.get(at..).unwrap_or_default();
    match said.get(6..).unwrap_or_default() {
        word if word.starts_with(b"short") => Script::Short,
        word if word.starts_with(b"paced") => Script::Paced,
        word if word.starts_with(b"held") => Script::Held,
        word if word.starts_with(b"tool") && memmem::find(said, b"\"role\":\"tool\"").is_none() => {
            Script::Tool
        }
        _ => Script::Plain,
    }
}

async fn answer(
    stream: &mut TcpStream,
    script: Script,
    answers: &Answers,
    released: &watch::Sender<u64>,
) -> anyhow::Result<()> {
    match script {
        Script::Plain => stream.write_all(&answers.plain).await?,
        Script::Short => stream.write_all(&answers.short).await?,
        Script::Tool => stream.write_all(&answers.call).await?,
        Script::Paced => paced(stream, answers).await?,
        Script::Held => {
            let mut release = released.subscribe();
            stream.write_all(HEAD).await?;
            stream.write_all(answers.deltas.first().map_or(&[][..], Vec::as_slice)).await?;
            let _ = timeout(HOLD_LIMIT, release.changed()).await;
            stream.write_all(&answers.end).await?;
        }
        Script::Release => {
            released.send_modify(|count| *count += 1);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
        }
    }
    Ok(())
}

async fn paced(stream: &mut TcpStream, answers: &Answers) -> anyhow::Result<()> {
    stream.write_all(HEAD).await?;
    let mut due = Instant::now();
    for delta in &answers.deltas {
        stream.write_all(delta).await?;
        due += PACE;
        sleep_until(due).await;
    }
    Ok(stream.write_all(&answers.end).await?)
}

impl Answers {
    fn make() -> Self {
        let deltas: Vec<Vec<u8>> = (0..DELTAS)
            .map(|number| chunk(&format!(r#"{{"content":"word{number:02} "}}"#), "null"))
            .collect();
        let end = [chunk("{}", r#""stop""#), framed("data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat();
        let call = r#"{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"add_task","arguments":"{\"title\":\"buy milk\"}"}}]}"#;
        let called =
            [chunk(call, "null"), chunk("{}", r#""tool_calls""#), framed("data: [DONE]\n\n")].concat();
        let one = deltas.first().cloned().unwrap_or_default();
        Self {
            plain: [HEAD.to_vec(), deltas.concat(), end.clone()].concat(),
            short: [HEAD.to_vec(), one, end.clone()].concat(),
            call: [HEAD.to_vec(), called, b"0\r\n\r\n".to_vec()].concat(),
            deltas,
            end,
        }
    }
}

/// Makes one event as OpenAI sends it, in a chunk of its own.
fn chunk(delta: &str, finish: &str) -> Vec<u8> {
    framed(&format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\
         \"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    ))
}

fn framed(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}
