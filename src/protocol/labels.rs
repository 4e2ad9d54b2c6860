//! The labels of requests: method, URL and name, numbered once per worker.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::load::driver::VirtualUser;
use crate::load::template::Template;
use crate::record::{Label, LabelId, MAX_LABEL_BYTES};

/// How many different URLs and names of one task a worker records. Further requests of the task are
/// recorded under the URL and name in the document.
const MAX_LABELS: usize = 1000;

/// The label of a task's requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming<'a> {
    /// The method of this request, in upper case.
    pub(crate) method: &'a str,
    pub(crate) url: &'a Template,
    pub(crate) name: Name<'a>,
}

/// The name of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    /// The name in the document.
    Written(&'a Template),
    /// A name derived from the URL.
    Of(fn(&str) -> String),
    /// The URL, or this where there is none.
    UrlOr(&'a str),
}

impl Naming<'_> {
    /// Whether all requests have the same name.
    fn has_one_name(&self) -> bool {
        matches!(self.name, Name::Written(name) if name.as_literal().is_some())
    }
}

/// The label indices of one task.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    /// By method, URL and name.
    known: HashMap<String, LabelId, RandomState>,
    /// The label as in the document, for requests over the limit.
    rest: Option<LabelId>,
    key: String,
}

impl Labels {
    /// Returns the label index of a request to `url`.
    pub(crate) fn find(
        &mut self,
        naming: Naming<'_>,
        url: &str,
        virtual_user: &mut VirtualUser,
    ) -> LabelId {
        let name = match naming.name {
            Name::Written(name) => virtual_user.scope.aside(|scope| name.filled(scope)),
            Name::Of(_) | Name::UrlOr(_) => Cow::from(""),
        };
        let (name, short) = (shortened(name), Label::cut(url));
        let Self { known, rest, key } = self;
        key.clear();
        key.push_str(naming.method);
        key.push(' ');
        key.push_str(&short);
        key.push('\n');
        key.push_str(&name);
        if let Some(label) = known.get(key.as_str()) {
            return *label;
        }
        if known.len() < MAX_LABELS && virtual_user.recorder().borrow_mut().reserve_label(key.len())
        {
            let name = match naming.name {
                Name::Written(_) => name,
                Name::Of(name) => Cow::from(name(url)),
                Name::UrlOr(word) => Cow::from(if url.is_empty() { word } else { url }),
            };
            let label = number(naming, url, &name, virtual_user);
            known.insert(key.clone(), label);
            return label;
        }
        *rest.get_or_insert_with(|| {
            let url = naming.url.written();
            let name = match naming.name {
                Name::Written(name) => name.written(),
                Name::Of(_) | Name::UrlOr(_) => url.clone(),
            };
            if !naming.has_one_name() {
                virtual_user.recorder().borrow().merged_names(&name);
            }
            number(naming, &url, &name, virtual_user)
        })
    }
}

/// As the record has it, so that a key stays short.
fn shortened(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= MAX_LABEL_BYTES { name } else { Label::cut(&name).into_owned().into() }
}

fn number(naming: Naming<'_>, url: &str, name: &str, virtual_user: &VirtualUser) -> LabelId {
    let label = Label { method: naming.method.into(), url: url.into(), name: name.into() };
    virtual_user.recorder().borrow_mut().label(label)
}
