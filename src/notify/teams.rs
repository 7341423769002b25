//! An Adaptive Card 1.4 for a Teams workflow or connector, in the envelope of a `message` of at most 28 KB.
//!
//! Foreign text stands in `TextRun`s only: they show it as it is, where a `TextBlock` would read Markdown, and so links, in it.

use super::{Alert, EXPLANATION, Line, NAME, SHOWN_IN_CHAT, shown};
use crate::findings::changes::Change;
use serde_json::{Value, json};

/// Bytes that Teams takes.
const MOST_BYTES: usize = 28 * 1024;

/// The message with as many findings as fit.
pub(super) fn message(alert: &Alert) -> serde_json::Result<Vec<u8>> {
    let mut listed = alert.changes.len().min(SHOWN_IN_CHAT);
    loop {
        let body = serde_json::to_vec(&card(alert, listed))?;
        if body.len() <= MOST_BYTES || listed == 0 {
            return Ok(body);
        }
        listed -= 1;
    }
}

fn card(alert: &Alert, listed: usize) -> Value {
    let mut body = vec![
        json!({ "type": "TextBlock", "text": alert.title(), "size": "Large", "weight": "Bolder", "wrap": true }),
        rich(&[run(&shown(&alert.sums().join("; "), EXPLANATION), "Default")]),
    ];
    for change in alert.changes.iter().take(listed) {
        body.extend(finding(alert, change));
    }
    let others = alert.changes.len() - listed;
    if others > 0 {
        body.push(rich(&[run(&format!("and {others} more: "), "Default"), run(&alert.list_command(), "Monospace")]));
    }
    body.push(rich(&[run(&format!("lake {}, run {}", shown(&alert.lake, NAME), alert.run_id), "Default")]));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    })
}

fn finding(alert: &Alert, change: &Change) -> [Value; 3] {
    let line = Line::of(change);
    let mut money = run(&format!("{}  ", line.money), "Default");
    money["weight"] = json!("Bolder");
    let mut first = rich(&[money, run(&format!("{} ({})", line.place, line.facts), "Default")]);
    first["separator"] = json!(true);
    [
        first,
        rich(&[run(&shown(&change.finding.explanation, EXPLANATION), "Default")]),
        rich(&[run(&alert.explain_command(&change.finding), "Monospace")]),
    ]
}

fn rich(inlines: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

fn run(text: &str, font: &str) -> Value {
    json!({ "type": "TextRun", "text": text, "fontType": font })
}
