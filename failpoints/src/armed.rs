//! The points of a program that a test holds. The program decides nothing: at each point it connects to the test's
//! socket, says where it is, and goes on when the test hangs up.

use std::{ffi::OsString, io, path::PathBuf, process, sync::OnceLock};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

/// The variable that names the test's socket.
pub const VARIABLE: &str = "PARLOR_FAILPOINTS";

/// The socket. A static, which we have none of elsewhere: points are in every room, and handing the path to all of them
/// would change what is tested.
static SOCKET: OnceLock<PathBuf> = OnceLock::new();

/// Takes the value of [`VARIABLE`], which `main` has read. Without one, points do nothing.
pub fn arm(socket: Option<OsString>) {
    if let Some(socket) = socket {
        let _ = SOCKET.set(socket.into());
    }
}

/// Tells the test that a point was reached, and waits until it lets go. A test that is gone holds nothing.
pub async fn reached(name: &str) {
    if let Some(socket) = SOCKET.get() {
        let _ = wait(socket, name).await;
    }
}

async fn wait(socket: &PathBuf, name: &str) -> io::Result<()> {
    let mut test = UnixStream::connect(socket).await?;
    test.write_all(format!("{name} {}\n", process::id()).as_bytes()).await?;
    test.read_to_end(&mut Vec::new()).await?;
    Ok(())
}
