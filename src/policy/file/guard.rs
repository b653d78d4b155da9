//! Reads `[guard]`, and the hosts and variables by which a profile applies. Pure.

use toml::Spanned;

use crate::host::Pattern as HostPattern;
use crate::policy::file::format::{Guard, When};
use crate::policy::file::reader::Reader;
use crate::policy::model::{Policy, RefuseEnv, Ruled, Variable};

/// Lays the keys of the file or of a profile over those of a policy.
pub(super) fn lay(reader: &mut Reader<'_>, policy: &mut Policy, guard: &Guard) {
    if let Some(hosts) = &guard.hosts {
        policy.guard.hosts = hosts.iter().filter_map(|text| host(reader, text)).collect();
    }
    if let Some(refuse_env) = &guard.refuse_env {
        let ruled = refuse_env.iter().filter_map(|text| {
            let rule = reader.rule("guard.refuse_env", text.span());
            variable(reader, text).map(|value| Ruled { value, rule })
        });
        policy.guard.refuse_env = Some(RefuseEnv { lines: ruled.collect(), layer: reader.layer.clone() });
    }
}

/// Reads when a profile applies by itself.
pub(super) fn when(reader: &mut Reader<'_>, when: &Spanned<When>) -> (Vec<Variable>, Vec<HostPattern>) {
    let When { env, hosts } = when.get_ref();
    if env.is_empty() && hosts.is_empty() {
        reader
            .problem(when.span(), "`when` names no condition")
            .hint("write `env = [\"NAME=value\"]` or `hosts = [\"db.example.com\"]`, or omit `when`");
    }
    let env = env.iter().filter_map(|text| variable(reader, text)).collect();
    let hosts = hosts.iter().filter_map(|text| host(reader, text)).collect();
    (env, hosts)
}

fn host(reader: &mut Reader<'_>, text: &Spanned<String>) -> Option<HostPattern> {
    if text.get_ref().trim().is_empty() {
        reader.problem(text.span(), "a host cannot be empty").hint("write \"*\" for all hosts");
        return None;
    }
    match HostPattern::parse(text.get_ref()) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            reader.problem(text.span(), format!("`{}` is not a glob: {error}", text.get_ref()));
            None
        }
    }
}

fn variable(reader: &mut Reader<'_>, text: &Spanned<String>) -> Option<Variable> {
    match text.get_ref().split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            if name.contains(char::is_whitespace) {
                reader.problem(text.span(), format!("`{name}` is not the name of a variable"));
            }
            Some(Variable { name, value })
        }
        _ => {
            reader
                .problem(text.span(), format!("`{}` does not have a value", text.get_ref()))
                .hint("write it as \"NAME=value\"");
            None
        }
    }
}
