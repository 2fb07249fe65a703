//! The templates of the pages, compiled once per language.

use std::collections::HashMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};
use rust_embed::RustEmbed;

use crate::{assets, i18n};

/// `templates/**`, in the binary; debug builds read them from disk when the server starts.
#[derive(RustEmbed)]
#[folder = "templates"]
#[include = "*.html"]
struct Files;

/// All templates, in every language: macros see no context, so the language of `t` is the environment's.
pub struct Templates {
    languages: HashMap<&'static str, Environment<'static>>,
}

impl Templates {
    /// Reads and compiles every template.
    ///
    /// # Panics
    /// When a template does not compile: a defect that a test finds.
    #[expect(clippy::new_without_default, reason = "reading and compiling all templates is no default")]
    pub fn new() -> Self {
        let languages = i18n::LANGUAGES.into_iter().map(|language| (language, environment(language))).collect();
        Self { languages }
    }

    /// The whole page, or the one block that was asked for. `block` names what stands in the page as an element of that
    /// id; a page without such a block draws `main`.
    pub(crate) fn draw(
        &self,
        language: &str,
        name: &str,
        block: Option<&str>,
        context: impl Into<Value>,
    ) -> Result<String, Error> {
        let environment = self.languages.get(language).or_else(|| self.languages.get("en"));
        let environment = environment.ok_or_else(|| Error::new(ErrorKind::TemplateNotFound, "no language at all"))?;
        let template = environment.get_template(name)?;
        let Some(block) = block else { return template.render(context.into()) };
        // A block stands on what its page imports and sets, so the page is drawn to nowhere first.
        let mut drawn = template.render_captured_to(context.into(), std::io::sink())?;
        drawn.with_state_mut(|state| match state.render_block(block) {
            Err(error) if error.kind() == ErrorKind::UnknownBlock => state.render_block("main"),
            drawn => drawn,
        })
    }
}

fn environment(language: &'static str) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("the delimiters are plain");
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(|out, state, value| match bool::try_from(value.clone()) {
        _ if value.is_none() => Ok(()),
        Ok(flag) if value.kind() == minijinja::value::ValueKind::Bool => {
            escape_formatter(out, state, &Value::from(if flag { "true" } else { "false" }))
        }
        _ => escape_formatter(out, state, value),
    });
    environment.add_function("asset", |name: &str| assets::address(name));
    environment.add_function("t", move |key: &str, values: Kwargs| text(language, key, &values));
    for name in Files::iter() {
        let file = Files::get(&name).expect("a listed file is there");
        let source = String::from_utf8(file.data.into_owned()).expect("templates are UTF-8");
        let added = environment.add_template_owned(name.to_string(), source);
        added.unwrap_or_else(|error| panic!("template {name}: {error:#}"));
    }
    environment
}

/// The text of the catalogue with its places filled in; an unknown key is an error, so that no page shows one.
fn text(language: &str, key: &str, values: &Kwargs) -> Result<String, Error> {
    let Some(text) = i18n::catalogue(language).get(key) else {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("the catalogue has no `{key}`")));
    };
    let mut text = text.clone();
    for name in values.args() {
        text = text.replace(&format!("{{{name}}}"), &values.get::<Value>(name)?.to_string());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn every_template_compiles_in_every_language() {
        let templates = Templates::new();
        assert_eq!(templates.languages.len(), i18n::LANGUAGES.len());
        assert!(Files::iter().count() > 30);
    }

    #[test]
    fn nothing_prints_as_nothing_and_booleans_in_small_letters() {
        let environment = environment("en");
        let draw = |source: &str| environment.render_str(source, context! { none_here => (), yes => true }).unwrap();
        assert_eq!(draw("[{{ none_here }}][{{ yes }}]"), "[][true]");
        assert_eq!(draw("{{ t('form.rejected', n=2) }}"), "Not submitted. To correct: 2");
        assert!(environment.render_str("{{ nobody }}", ()).is_err());
        assert!(environment.render_str("{{ t('no.such.key') }}", ()).is_err());
    }
}
