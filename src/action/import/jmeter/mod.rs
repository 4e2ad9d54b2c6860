//! JMeter test plans: each HTTP sampler becomes a task, with what stands around it in the tree (defaults,
//! headers, credentials, assertions, extractors, timers), and each thread group a test.

mod checks;
mod functions;
mod load;
mod sampler;
mod tree;

use self::functions::{Functions, Named};
use self::tree::Node;
use super::{Import, NotImported, Test};
use crate::value::{Map, Value};

/// What applies to all samplers in its part of the tree, read where a sampler is.
const CONFIGURATION: [&str; 13] = [
    "ConfigTestElement",
    "HeaderManager",
    "CookieManager",
    "AuthManager",
    "ResponseAssertion",
    "JSONPathAssertion",
    "JSONPostProcessor",
    "ConstantTimer",
    "UniformRandomTimer",
    "GaussianRandomTimer",
    "PoissonRandomTimer",
    "DurationAssertion",
    "RegexExtractor",
];

/// What has no effect here, or is read before everything else.
const SILENT: [&str; 4] = ["TestPlan", "Arguments", "CSVDataSet", "CacheManager"];

/// Controllers whose samplers simply run.
const PLAIN: [&str; 4] = [
    "GenericController",
    "RecordingController",
    "TransactionController",
    "CriticalSectionController",
];

/// Listeners, which the records replace.
const LISTENERS: [&str; 3] = ["ResultCollector", "Summariser", "BackendListener"];

/// The most CSV files of a plan.
const MAX_FILES: usize = 50;

/// How many variables may name each other in turn for a number.
const MAX_NAMES: usize = 8;

/// How many elements may apply to all samplers together.
const MOST_APPLIED: usize = 5_000_000;

/// The requests of a test plan.
pub(crate) fn import(text: &str) -> Result<Import, NotImported> {
    let root = Node::parse(text)?;
    if root.tag != "jmeterTestPlan" {
        return Err(NotImported(format!("not a JMeter test plan: it is a <{}>", root.tag)));
    }
    let mut import = Import::default();
    let mut functions = Functions::default();
    prepare(&root, &mut import, &mut functions);
    let mut reader = Reader { import, functions, applied: 0 };
    for tree in root.children.iter().filter(|child| child.tag == "hashTree") {
        reader.walk(tree, None)?;
    }
    let Reader { mut import, functions, .. } = reader;
    for (name, default) in functions.properties() {
        import.variables.entry(name).or_insert(default.into());
    }
    import.inline_variables();
    import.notices.many("functions without a counterpart, now variables", functions.unknown());
    Ok(import)
}

/// Variables and CSV files, wherever they stand: they belong to the whole plan.
fn prepare(node: &Node, import: &mut Import, functions: &mut Functions) {
    if !node.is_enabled() {
        return;
    }
    match node.tag.as_str() {
        "TestPlan" => {
            if let Some(arguments) = node.element("TestPlan.user_defined_variables") {
                variables(arguments, import, functions);
            }
        }
        "Arguments" => variables(node, import, functions),
        "CSVDataSet" => csv(node, import, functions),
        _ => {
            // The tree of what is disabled is disabled, too.
            let mut skip = false;
            for child in &node.children {
                if !(skip && child.tag == "hashTree") {
                    prepare(child, import, functions);
                }
                skip = child.tag != "hashTree" && !child.is_enabled();
            }
        }
    }
}

fn variables(arguments: &Node, import: &mut Import, functions: &mut Functions) {
    for argument in arguments.collection("Arguments.arguments") {
        let Some(name) = argument.property("Argument.name") else { continue };
        let value = functions.filled(argument.property("Argument.value").unwrap_or_default());
        import.variables.insert(name.to_owned(), value.into());
    }
}

fn csv(node: &Node, import: &mut Import, functions: &mut Functions) {
    if import.sources.len() >= MAX_FILES {
        import.notices.leave_out("CSVDataSet");
        return;
    }
    let path = node.property("filename").unwrap_or_default();
    let stem = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let mut name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.is_empty() {
        name.push_str("data");
    }
    while import
        .sources
        .iter()
        .any(|known| known.get("name").and_then(Value::as_str) == Some(&name))
    {
        name.push('_');
    }
    let columns = node.property("variableNames").unwrap_or_default();
    let columns: Vec<&str> =
        columns.split(',').map(str::trim).filter(|column| !column.is_empty()).collect();
    if columns.is_empty() {
        import.notices.note("CSV files whose columns only their first rows name", path);
    } else if node.property("ignoreFirstLine") != Some("true") {
        let kind = format!("CSV files that need the first row {}", columns.join(","));
        import.notices.note(&kind, path);
    }
    let delimiter = node.property("delimiter").unwrap_or(",");
    if delimiter != "," {
        import.notices.note("CSV files whose columns have to be separated by commas", path);
    }
    for column in columns {
        functions.column(column, &name);
    }
    let path = functions.filled(path);
    let mut source =
        Map::from([("name".to_owned(), Value::from(name)), ("file_path".to_owned(), path.into())]);
    if node.property("recycle") == Some("false") {
        source.insert("cycle".to_owned(), false.into());
    }
    import.sources.push(Value::Dict(source));
}

/// What applies in a part of the tree, and in the parts around it.
struct Scope<'a> {
    outer: Option<&'a Scope<'a>>,
    elements: Vec<&'a Node>,
}

impl<'a> Scope<'a> {
    /// All of it, outermost first.
    fn all(&self) -> Vec<&'a Node> {
        let mut levels = Vec::new();
        let mut scope = Some(self);
        while let Some(level) = scope {
            levels.push(&level.elements);
            scope = level.outer;
        }
        levels.into_iter().rev().flatten().copied().collect()
    }
}

struct Reader {
    import: Import,
    functions: Functions,
    /// How many elements applied to samplers so far.
    applied: usize,
}

impl Reader {
    fn walk(&mut self, tree: &Node, outer: Option<&Scope<'_>>) -> Result<(), NotImported> {
        let mut elements = tree.elements();
        elements.retain(|(node, _)| {
            if !node.is_enabled() {
                self.import.notices.leave_out(format!("disabled {}", node.tag));
            }
            node.is_enabled()
        });
        let configuration = elements.iter().map(|(node, _)| *node);
        let configuration = configuration.filter(|node| CONFIGURATION.contains(&node.tag.as_str()));
        let scope = Scope { outer, elements: configuration.collect() };
        for (node, inside) in elements {
            match node.tag.as_str() {
                "HTTPSamplerProxy" | "HTTPSampler" | "HTTPSampler2" => {
                    let own = inside.map(|tree| self.own(tree)).unwrap_or_default();
                    let scope = Scope { outer: Some(&scope), elements: own };
                    let around = scope.all();
                    self.applied += around.len();
                    if self.applied > MOST_APPLIED {
                        let why = "too many elements apply to too many samplers";
                        return Err(NotImported(why.to_owned()));
                    }
                    self.sampler(node, &around)?;
                    continue;
                }
                group if group.ends_with("ThreadGroup") => {
                    let load = self.load(node);
                    let requests = Vec::new();
                    self.import.tests.push(Test { requests, load });
                }
                tag if CONFIGURATION.contains(&tag)
                    || SILENT.contains(&tag)
                    || PLAIN.contains(&tag) => {}
                tag if LISTENERS.contains(&tag) || tag.ends_with("Visualizer") => {
                    self.import.notices.leave_out("listener");
                }
                // What it does is lost, and what stands in it is kept.
                tag if tag.ends_with("Controller") => {
                    self.import.notices.note(
                        "controllers whose requests simply run once",
                        format!("{} ({tag})", node.name()),
                    );
                }
                tag => self.import.notices.leave_out(tag),
            }
            if let Some(inside) = inside {
                self.walk(inside, Some(&scope))?;
            }
        }
        Ok(())
    }

    /// A number of a plan, which may be a variable, or a property with a default.
    fn number(&self, text: &str) -> Option<f64> {
        let mut text = text.trim().to_owned();
        for _ in 0..MAX_NAMES {
            if let Ok(number) = text.parse() {
                return Some(number);
            }
            let next = match self.functions.named(&text)? {
                Named::Default(default) => default.to_owned(),
                Named::Variable(name) => {
                    let name = name.strip_prefix("var.").unwrap_or(name);
                    let value = self.import.variables.get(name).map(Value::to_text);
                    value.or_else(|| self.functions.usual(name).map(str::to_owned))?
                }
            };
            text = next.trim().to_owned();
        }
        None
    }

    /// What belongs to one sampler.
    fn own<'a>(&mut self, tree: &'a Node) -> Vec<&'a Node> {
        let mut own = Vec::new();
        for (node, _) in tree.elements() {
            if !node.is_enabled() {
                self.import.notices.leave_out(format!("disabled {}", node.tag));
            } else if CONFIGURATION.contains(&node.tag.as_str()) {
                own.push(node);
            } else if LISTENERS.contains(&node.tag.as_str()) {
                self.import.notices.leave_out("listener");
            } else {
                self.import.notices.leave_out(node.tag.as_str());
            }
        }
        own
    }
}

#[cfg(test)]
mod tests;
