//! The other end of the failpoints: programs say where they are, and one of them is held there until the test lets go.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::oneshot,
};

/// Every point that a program, or the provider of the test, can be held at.
#[derive(Clone)]
pub struct Points {
    path: PathBuf,
    wanted: Arc<Mutex<Option<Wanted>>>,
}

struct Wanted {
    name: &'static str,
    tell: oneshot::Sender<Held>,
}

/// Somebody who waits at a point. Dropping this lets go.
pub struct Held {
    _line: Line,
}

enum Line {
    /// A program behind the socket.
    Program { _stream: BufReader<UnixStream> },
    /// The provider, which is in this process.
    Provider { _go: oneshot::Sender<()> },
}

impl Points {
    /// Listens in a folder.
    pub fn listen(folder: &Path) -> Self {
        let path = folder.join("points");
        // One that was left behind by the cell before.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let points = Self { path, wanted: Arc::default() };
        let heard = points.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let points = heard.clone();
                tokio::spawn(async move { points.hear(stream).await });
            }
        });
        points
    }

    /// Returns where programs find this.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Holds whoever comes to a point first, and hands it over. All others pass.
    pub fn hold(&self, name: &'static str) -> oneshot::Receiver<Held> {
        let (tell, held) = oneshot::channel();
        *self.wanted.lock().unwrap() = Some(Wanted { name, tell });
        held
    }

    /// Holds nobody any more.
    pub fn open(&self) {
        *self.wanted.lock().unwrap() = None;
    }

    /// Passes a point of the provider's, or waits there.
    pub async fn pass(&self, name: &str) {
        if let Some(wanted) = self.take(name) {
            let (go, wait) = oneshot::channel();
            let _ = wanted.tell.send(Held { _line: Line::Provider { _go: go } });
            let _ = wait.await;
        }
    }

    async fn hear(&self, stream: UnixStream) {
        let mut stream = BufReader::new(stream);
        let mut said = String::new();
        let name = match stream.read_line(&mut said).await {
            Ok(_) => said.split(' ').next().unwrap_or_default(),
            Err(_) => return,
        };
        if let Some(wanted) = self.take(name) {
            let _ = wanted.tell.send(Held { _line: Line::Program { _stream: stream } });
        }
    }

    fn take(&self, name: &str) -> Option<Wanted> {
        self.wanted.lock().unwrap().take_if(|wanted| wanted.name == name)
    }
}
