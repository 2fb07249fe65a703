//! Text → tokens with their places. What cannot be read is reported and read as what was most likely meant.

use std::ops::Range;

use super::problem::{Problem, code};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Number,
    Text(String),
    Word,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Coalesce,
    Question,
    Dot,
    DotDot,
    Comma,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// `&&`, read as the word `and`.
    And,
    /// `||`, read as the word `or`.
    Or,
    /// `!`, read as the word `not`.
    Not,
    End,
}

/// A token and its byte places.
#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) span: Range<usize>,
}

/// All tokens, the last is [`Token::End`], and what could not be read.
pub(crate) fn tokenize(source: &str) -> (Vec<Spanned>, Vec<Problem>) {
    let mut lexer = Lexer { source, at: 0, problems: Vec::new() };
    let mut tokens = Vec::new();
    loop {
        let next = lexer.next();
        let end = next.token == Token::End;
        tokens.push(next);
        if end {
            return (tokens, lexer.problems);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    problems: Vec<Problem>,
}

impl Lexer<'_> {
    fn next(&mut self) -> Spanned {
        loop {
            self.skip(|c| c.is_whitespace());
            let start = self.at;
            let Some(first) = self.peek() else {
                return Spanned { token: Token::End, span: start..start };
            };
            let token = match first {
                c if c.is_ascii_digit() => Some(self.number()),
                c if c == '_' || c.is_alphabetic() => Some(self.word()),
                '\'' | '"' => Some(self.text(first)),
                _ => self.symbol(),
            };
            if let Some(token) = token {
                return Spanned { token, span: start..self.at };
            }
        }
    }

    fn number(&mut self) -> Token {
        let start = self.at;
        self.skip(|c| c.is_ascii_digit());
        let mut rest = self.source[self.at..].chars();
        if rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
        }
        let end = self.at;
        self.skip(is_word);
        if self.at > end {
            let problem = Problem::new(
                code::LITERAL,
                start..self.at,
                format!("`{}` is neither a number nor a name", &self.source[start..self.at]),
            );
            self.problems.push(problem.hint("a number is written in digits, such as `5000` or `0.25`"));
        }
        Token::Number
    }

    fn word(&mut self) -> Token {
        self.skip(is_word);
        Token::Word
    }

    fn text(&mut self, quote: char) -> Token {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let place = self.at;
            let Some(c) = self.take() else {
                let problem = Problem::new(code::LITERAL, start..self.at, "the text is not closed");
                self.problems.push(problem.hint(format!("put {quote} at its end")));
                return Token::Text(text);
            };
            match c {
                c if c == quote => break,
                '\\' => match self.take() {
                    Some(escaped @ ('\'' | '\\')) => text.push(escaped),
                    Some('"') if quote == '"' => text.push('"'),
                    other => {
                        let problem = Problem::new(
                            code::LITERAL,
                            place..self.at,
                            format!("`\\{}` is no escape", other.map(String::from).unwrap_or_default()),
                        );
                        self.problems.push(problem.hint("only `\\'` and `\\\\` are"));
                    }
                },
                c => text.push(c),
            }
        }
        if quote == '"' {
            let problem = Problem::new(code::LITERAL, start..self.at, "texts stand in single quotes");
            self.problems.push(problem.hint(format!("write '{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))));
        }
        Token::Text(text)
    }

    /// A sign; nothing where the character belongs to no token (it is reported and skipped).
    fn symbol(&mut self) -> Option<Token> {
        const SYMBOLS: [(&str, Token); 20] = [
            ("==", Token::Equal),
            ("!=", Token::NotEqual),
            ("<=", Token::LessEqual),
            (">=", Token::GreaterEqual),
            ("??", Token::Coalesce),
            ("..", Token::DotDot),
            ("<", Token::Less),
            (">", Token::Greater),
            ("?", Token::Question),
            (".", Token::Dot),
            ("+", Token::Plus),
            ("-", Token::Minus),
            ("*", Token::Star),
            ("/", Token::Slash),
            ("%", Token::Percent),
            (",", Token::Comma),
            ("(", Token::Open),
            (")", Token::Close),
            ("[", Token::OpenBracket),
            ("]", Token::CloseBracket),
        ];
        // What other languages write, with what is written here.
        const FOREIGN: [(&str, &str, Token); 6] = [
            ("&&", "and", Token::And),
            ("||", "or", Token::Or),
            ("<>", "!=", Token::NotEqual),
            ("===", "==", Token::Equal),
            ("=", "==", Token::Equal),
            ("!", "not", Token::Not),
        ];
        let start = self.at;
        let rest = &self.source[start..];
        let known = SYMBOLS.iter().find(|(sign, _)| rest.starts_with(sign));
        let foreign = FOREIGN.iter().find(|(sign, _, _)| rest.starts_with(sign));
        match (known, foreign) {
            (Some((sign, token)), foreign) if foreign.is_none_or(|(other, _, _)| other.len() < sign.len()) => {
                self.at += sign.len();
                Some(token.clone())
            }
            (_, Some((sign, ours, token))) => {
                self.at += sign.len();
                let problem = Problem::new(code::SYNTAX, start..self.at, format!("unexpected `{sign}`"));
                self.problems.push(problem.hint(format!("write `{ours}`")));
                Some(token.clone())
            }
            _ => {
                let c = self.take().unwrap_or_default();
                self.problems.push(Problem::new(code::LITERAL, start..self.at, format!("unexpected character `{c}`")));
                None
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.take();
        }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
