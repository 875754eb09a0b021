//! The conversation on screen as one HTML file, which loads nothing and runs nothing.

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use super::markdown::{about, author, calls, ending};
use super::tree::{Node, Session};
use crate::engine::Role;
use crate::neutralize::neutralize;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1c1c;--paper:#fff;--dim:#666;--line:#ddd;--block:#f5f5f5;--user:#eef4fb}
@media(prefers-color-scheme:dark){:root{--ink:#ddd;--paper:#161616;--dim:#999;--line:#333;--block:#202020;--user:#1b2735}}
body{margin:0 auto;max-width:46rem;padding:1rem;font:1rem/1.6 system-ui,sans-serif;color:var(--ink);\
background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.4rem}
header p,h2,.note{color:var(--dim);font-size:.85rem}
h2{margin:1.6rem 0 .3rem;font-weight:600}
a{color:inherit}
.typed{white-space:pre-wrap}
.user>.typed{background:var(--user);border-radius:.5rem;padding:.5rem .8rem}
details{border-left:3px solid var(--line);padding-left:.8rem;margin:.5rem 0}
summary{color:var(--dim);cursor:pointer}
pre{background:var(--block);border-radius:.4rem;padding:.7rem;overflow-x:auto;font-size:.875rem;line-height:1.4;\
overflow-wrap:normal}
code{font-family:ui-monospace,monospace;font-size:.9em}
pre code{font-size:inherit}
table{border-collapse:collapse}
th,td{border:1px solid var(--line);padding:.2rem .6rem}
blockquote{border-left:3px solid var(--line);margin:.5rem 0;padding-left:.8rem;color:var(--dim)}
";

/// The path on screen as a file of its own, light or dark as the reader has it. Answers are rendered; HTML in them is
/// shown as text, pictures are not loaded, and links lead to web pages and mail addresses only. What was typed stays
/// as it is.
pub fn html(session: &Session) -> String {
    let title = escaped(&session.title());
    let mut out = format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n<main>\n",
        escaped(&about(session))
    );
    if let Some(system) = &session.system {
        let typed = format!("<div class=\"typed\">{}</div>\n", escaped(system));
        out.push_str(&section("system", "System", &typed));
    }
    for node in session.path().into_iter().filter_map(|id| session.node(id)) {
        let class = match node.message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        out.push_str(&section(class, &escaped(&author(node, session)), &body(node)));
    }
    out + "</main>\n</body>\n</html>\n"
}

fn section(class: &str, who: &str, body: &str) -> String {
    format!("<section class=\"{class}\">\n<h2>{who}</h2>\n{body}</section>\n")
}

fn body(node: &Node) -> String {
    let mut out = String::new();
    if let Some(thoughts) = node.message.reasoning_content.as_ref().filter(|text| !text.trim().is_empty()) {
        out.push_str(&folded("Thoughts", &rendered(thoughts)));
    }
    for attachment in &node.attachments {
        let text = format!("<pre><code>{}</code></pre>\n", escaped(&attachment.text));
        out.push_str(&folded(&escaped(&attachment.name), &text));
    }
    if node.message.role == Role::Assistant {
        out.push_str(&rendered(&node.message.content));
    } else if !node.message.content.is_empty() {
        out.push_str(&format!("<div class=\"typed\">{}</div>\n", escaped(&node.message.content)));
    }
    for call in calls(node) {
        out.push_str(&format!("<pre><code>{}</code></pre>\n", escaped(&call)));
    }
    if let Some(ending) = ending(node) {
        out.push_str(&format!("<p class=\"note\">({ending})</p>\n"));
    }
    out
}

fn folded(summary: &str, inside: &str) -> String {
    format!("<details>\n<summary>{summary}</summary>\n{inside}</details>\n")
}

/// A model's Markdown as HTML.
fn rendered(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let text = neutralize(text);
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, Parser::new_ext(&text, options).map(harmless));
    out
}

/// Only what can neither load nor run anything.
fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::Image { dest_url, .. }) => Event::Text(format!("[picture {dest_url}: ").into()),
        Event::End(TagEnd::Image) => Event::Text("]".into()),
        Event::Start(Tag::Link { link_type, ref dest_url, .. }) if !leads_out(link_type, dest_url) => {
            Event::InlineHtml("<a>".into())
        }
        event => event,
    }
}

/// Whether an address is a web page's or a mail address.
fn leads_out(kind: LinkType, address: &str) -> bool {
    let address = address.to_ascii_lowercase();
    kind == LinkType::Email || ["https://", "http://", "mailto:"].iter().any(|scheme| address.starts_with(scheme))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in neutralize(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Message;

    fn answered(question: &str, answer: &str) -> String {
        let mut session = Session::new("m", 0);
        session.append(Message::new(Role::User, question), 0);
        session.append(Message::new(Role::Assistant, answer), 0);
        html(&session)
    }

    #[test]
    fn answers_are_rendered_and_questions_stay_as_typed() {
        let page = answered("**why**\n<b>?", "**so**\n\n```rust\nlet a = \"<\";\n```\n\n|a|b|\n|-|-|\n|1|2|");
        assert!(page.contains("<div class=\"typed\">**why**\n&lt;b&gt;?</div>"), "{page}");
        assert!(page.contains("<strong>so</strong>") && page.contains("<td>1</td>"), "{page}");
        assert!(page.contains("<pre><code class=\"language-rust\">let a = \"&lt;\";\n</code></pre>"), "{page}");
        assert!(page.contains("<title>**why** &lt;b&gt;?</title>"), "{page}");
    }

    #[test]
    fn nothing_in_an_answer_can_load_or_run() {
        let page = answered(
            "</div><script>alert(1)</script>",
            "<script>alert(2)</script>\n\na <img src=x onerror=alert(3)> ![p](https://x.org/p.png \"t\")\n\
             [j](javascript:alert(4)) [J](JavaScript:alert(5)) [d](data:text/html,x) [w](https://x.org/?a=\"b) <a@x.org>\n\
             \n```\"><script>\n</code>\n```\n\n<details><script>alert(6)\n\n\x1b[2J\u{202e}",
        );
        for forbidden in ["<script", "<img", "href=\"javascript", "href=\"JavaScript", "href=\"data", "\x1b"] {
            assert!(!page.contains(forbidden), "{forbidden}: {page}");
        }
        assert!(page.contains("<a>j</a>") && page.contains("[picture https://x.org/p.png: p]"), "{page}");
        assert!(page.contains("href=\"https://x.org/?a=%22b\"") && page.contains("href=\"mailto:a@x.org\""), "{page}");
        // What a browser would fetch is named nowhere but in links and text.
        assert!(!page.contains("url(") && !page.contains("<link") && !page.contains("@import"));
    }
}
