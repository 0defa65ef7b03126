/** What Parlor tells of a turn, and what of it should stand on the screen. */

interface Usage {
    input_tokens: number;
    output_tokens: number;
    total_tokens: number;
}

interface Call {
    message_id: string;
    call_id: string;
    server: string;
    name: string;
}

interface End {
    run_id: string;
    usage: Usage;
}

/** The events, by name. A newer service may know more of them, and more fields. */
export interface Events {
    "run.created": { run_id: string; conversation_id: string; provider: string; model: string; attempt: number };
    "message.delta": { message_id: string; delta: string };
    "message.completed": { message_id: string; content: string; incomplete: boolean };
    "message.discarded": { message_id: string };
    "tool.started": Call & { arguments: Record<string, unknown> };
    "tool.completed": Call & { status: string; is_error: boolean; result: unknown };
    "approval.requested": { call_id: string; server: string; name: string; reason: string; expires_at: string };
    "notice": { code: string; message: string };
    "run.completed": End;
    "run.failed": End & { code: string; message: string; retryable: boolean };
    "run.cancelled": End;
    "run.awaiting_approval": End;
}

/** One thing that happened, and in which run. */
export type TurnEvent = {
    [Name in keyof Events]: { name: Name; id: number; runId: string; data: Events[Name] };
}[keyof Events];

export const ENDS: readonly string[] = ["run.completed", "run.failed", "run.cancelled", "run.awaiting_approval"];
export const NAMES: readonly string[] = [
    "run.created", "message.delta", "message.completed", "message.discarded", "tool.started", "tool.completed",
    "approval.requested", "notice", ...ENDS,
];

/** The texts of the assistant as they should stand on the screen, by message. */
export class Texts {
    readonly shown = new Map<string, string>();
    readonly #stored = new Set<string>();

    take(event: TurnEvent): void {
        switch (event.name) {
            case "message.delta":
                this.shown.set(event.data.message_id, (this.shown.get(event.data.message_id) ?? "") + event.data.delta);
                break;
            case "message.completed": // It stands over the deltas: after a crash it can be shorter than they were.
                this.shown.set(event.data.message_id, event.data.content);
                this.#stored.add(event.data.message_id);
                break;
            case "message.discarded":
                this.shown.delete(event.data.message_id);
                break;
            case "run.completed":
            case "run.failed":
            case "run.cancelled":
            case "run.awaiting_approval": // What was not completed by now is not stored.
                for (const id of this.shown.keys()) if (!this.#stored.has(id)) this.shown.delete(id);
        }
    }
}
