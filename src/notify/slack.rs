//! A message of Slack's Block Kit: at most 50 blocks, 3,000 characters in a text, `&`, `<` and `>` escaped.
//!
//! Texts are `verbatim`: Slack then makes no links or mentions of what stands in foreign names.

use super::{Alert, EXPLANATION, Line, SHOWN_IN_CHAT, shown};
use serde_json::{Value, json};

/// Characters of a header.
const HEADER: usize = 150;
/// Characters of a text.
const TEXT: usize = 3000;

pub(super) fn message(alert: &Alert) -> Value {
    let title = shown(&alert.title(), HEADER);
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": title, "emoji": false } }),
        section(&alert.sums().join("\n")),
        json!({ "type": "divider" }),
    ];
    for change in alert.changes.iter().take(SHOWN_IN_CHAT) {
        let line = Line::of(change);
        blocks.push(section(&format!(
            "*{}*  {}\n{}\n{}\n`{}`",
            escaped(&line.money),
            escaped(&line.place),
            escaped(&line.facts),
            escaped(&shown(&change.finding.explanation, EXPLANATION)),
            escaped(&alert.explain_command(&change.finding)),
        )));
    }
    let others = alert.changes.len().saturating_sub(SHOWN_IN_CHAT);
    let more = if others == 0 { String::new() } else { format!("and {others} more: `{}`\n", escaped(&alert.list_command())) };
    let from = format!("{more}lake {}, run {}", escaped(&shown(&alert.lake, super::NAME)), escaped(&alert.run_id));
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(&from)] }));
    json!({ "text": title, "blocks": blocks })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

/// Cut where it is too long: no part of it comes near that, but a lake with many currencies does.
fn mrkdwn(text: &str) -> Value {
    let text: String = text.chars().take(TEXT).collect();
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
