//! `console` blocks of a document: commands after `$ `, their further lines after `> `, and below
//! each what it prints.

use super::TYPED_PASSWORD;

/// The line after which blocks are not run, and the one that ends this.
const OFF: &str = "<!-- guide test: off -->";
const ON: &str = "<!-- guide test: on -->";

/// One block of a document.
pub(crate) struct Block {
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) commands: Vec<Command>,
}

/// One command and what the document says it prints.
pub(crate) struct Command {
    pub(crate) text: String,
    pub(crate) output: Vec<String>,
}

/// The blocks of a document that are to be run, in order.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let (mut on, mut indentation) = (true, 0);
    for (number, line) in document.lines().enumerate() {
        // A step of a list has its blocks indented.
        if open.is_none() {
            indentation = line.len() - line.trim_start().len();
        }
        let line = line.get(indentation..).unwrap_or_default();
        match (&mut open, line) {
            (None, OFF) => on = false,
            (None, ON) => on = true,
            (None, "```console") if on => {
                open = Some(Block { line: number + 1, commands: Vec::new() });
            }
            (None, _) => {}
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => block.add(line),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

impl Block {
    fn add(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("$ ") {
            self.commands.push(Command { text: text.to_owned(), output: Vec::new() });
            return;
        }
        let command = self.commands.last_mut();
        let command = command.unwrap_or_else(|| panic!("output without a command: {line}"));
        match line.strip_prefix("> ") {
            Some(more) if command.output.is_empty() => {
                command.text.push('\n');
                command.text.push_str(more);
            }
            _ => command.output.push(line.to_owned()),
        }
    }

    /// The questions that the block shows, each with its answer: what stands behind `[Y/n]`, or
    /// the password that does not show.
    pub(crate) fn questions(&self) -> Vec<(String, String)> {
        let lines = self.commands.iter().flat_map(|command| &command.output);
        lines.filter_map(|line| question(line)).collect()
    }
}

fn question(line: &str) -> Option<(String, String)> {
    for choices in ["[Y/n]", "[y/N]"] {
        if let Some((question, answer)) = line.split_once(choices) {
            return Some((format!("{question}{choices} "), answer.trim().to_owned()));
        }
    }
    let asks_for_password = ["Password for ", "New password for ", "New passphrase", "Once more"];
    let asks_for_password = asks_for_password.iter().any(|start| line.starts_with(start));
    (asks_for_password && line.ends_with(':'))
        .then(|| (format!("{line} "), TYPED_PASSWORD.to_owned()))
}

#[test]
fn a_block_has_commands_and_their_output() {
    let text = "text\n```console\n$ a\n1\n2\n$ b <<END\n> x\n> END\n```\n```text\n$ c\n```\n";
    let blocks = blocks(text);
    assert_eq!(blocks.len(), 1);
    assert_eq!(blocks[0].line, 2);
    let commands: Vec<_> = blocks[0].commands.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(commands, ["a", "b <<END\nx\nEND"]);
    assert_eq!(blocks[0].commands[0].output, ["1", "2"]);
}

#[test]
fn blocks_of_the_steps_of_a_list_count_too() {
    let text = "1. text\n\n   ```console\n   $ a |\n   >     b\n    c\n\n   ```\n";
    let blocks = blocks(text);
    assert_eq!(blocks[0].commands[0].text, "a |\n    b");
    assert_eq!(blocks[0].commands[0].output, [" c", ""]);
}

#[test]
fn questions_are_answered_as_the_document_shows() {
    let text = "```console\n$ a\nMake one? [Y/n] n\nPassword for \"x\":\nname: x\n```\n";
    let questions = blocks(text)[0].questions();
    let expected = [("Make one? [Y/n] ", "n"), ("Password for \"x\": ", TYPED_PASSWORD)];
    assert_eq!(questions, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}
