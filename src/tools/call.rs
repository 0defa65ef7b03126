//! One call over MCP, and the list of tools: what is sent, and what is made of the answer.
//!
//! Every server is ours so far: it is trusted with the user's identity, and it keeps a ledger of call keys.

use std::{borrow::Cow, sync::Arc, time::Duration};

use rmcp::{
    Peer, RoleClient, ServiceError,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, RequestMetaObject,
        RequestParamsMeta, ResourceContents,
    },
};
use serde_json::Value;
use tokio::time::timeout;

use crate::domain::{Principal, Tool, ToolCall, ToolError, ToolOutput, ToolSchema};

/// The user on whose behalf a call is made. Never to be sent to a server of others.
const USER_ID: &str = "dev.parlor/user-id";

/// The key under which a call has its effect at most once.
const CALL_KEY: &str = "dev.parlor/call-key";

/// Lists a server's tools in the server's order. A tool whose schema cannot be used is left out.
pub(super) async fn list(
    peer: &Peer<RoleClient>,
    server: &Arc<str>,
    limit: Duration,
) -> Result<Arc<[Tool]>, String> {
    let listed = match timeout(limit, peer.list_all_tools()).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_elapsed) => return Err("it did not list its tools in time".into()),
    };
    let tools = listed.into_iter().filter_map(|tool| {
        let schema = match ToolSchema::compile(Value::Object(tool.input_schema.as_ref().clone())) {
            Ok(schema) => schema,
            Err(error) => {
                tracing::warn!(tool.server = %server, tool.name = %tool.name, %error, "a tool is left out");
                return None;
            }
        };
        let hints = tool.annotations.unwrap_or_default();
        Some(Tool {
            server: Arc::clone(server),
            name: tool.name.into_owned(),
            description: tool.description.map(Cow::into_owned).unwrap_or_default(),
            schema,
            is_read_only: hints.read_only_hint == Some(true),
            is_keyed: true,
        })
    });
    Ok(tools.collect())
}

/// Makes a call. After the limit, or when this future is dropped, the server is told to drop the call.
pub(super) async fn call(
    peer: &Peer<RoleClient>,
    principal: &Principal,
    call: &ToolCall,
    limit: Duration,
) -> Result<ToolOutput, ToolError> {
    let mut request = CallToolRequestParams::new(call.name.clone()).with_arguments(call.arguments.clone());
    let mut meta = RequestMetaObject::new();
    meta.insert(USER_ID.into(), principal.user.as_str().into());
    meta.insert(CALL_KEY.into(), call.id.to_string().into());
    request.set_meta(meta);
    match timeout(limit, peer.call_tool_once(request)).await {
        Ok(Ok(CallToolResponse::Complete(result))) => Ok(output(result)),
        Ok(Ok(_asks_for_more)) => Err(ToolError::Refused {
            reason: "it asks for more than arguments, which is not supported".into(),
        }),
        Ok(Err(ServiceError::McpError(error))) => {
            Err(ToolError::Refused { reason: error.message.into_owned() })
        }
        Ok(Err(error)) => {
            tracing::warn!(tool.server = %call.server, %error, "the connection to a tool server failed during a call");
            Err(ToolError::Lost { server: call.server.clone() })
        }
        Err(_elapsed) => Err(ToolError::Timeout { seconds: limit.as_secs() }),
    }
}

fn output(result: CallToolResult) -> ToolOutput {
    let blocks: Vec<String> = result.content.into_iter().map(words).collect();
    ToolOutput {
        is_error: result.is_error == Some(true),
        text: blocks.join("\n"),
        structured: result.structured_content,
    }
}

/// Says a block of content in words; what is not text is named, not sent to the model.
fn words(block: ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text,
        ContentBlock::Image(image) => format!("[image: {}]", image.mime_type),
        ContentBlock::Audio(audio) => format!("[audio: {}]", audio.mime_type),
        ContentBlock::Resource(embedded) => match embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => text,
            ResourceContents::BlobResourceContents { uri, .. } => format!("[resource: {uri}]"),
            _ => "[resource]".into(),
        },
        ContentBlock::ResourceLink(link) => format!("[resource: {}]", link.uri),
        _ => "[content of an unknown kind]".into(),
    }
}
