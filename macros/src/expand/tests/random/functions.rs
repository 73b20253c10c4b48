//! Random functions, right ones and others.

use proc_macro2::Ident;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// A function to annotate, part by part.
#[derive(Clone, Debug)]
pub(super) struct Function {
    attributes: String,
    visibility: &'static str,
    qualifiers: &'static str,
    name: &'static str,
    generics: &'static str,
    parameters: Vec<Parameter>,
    output: &'static str,
    clause: &'static str,
    body: &'static str,
}

#[derive(Clone, Debug)]
struct Parameter {
    /// With a mark, if it has one.
    attributes: String,
    pattern: String,
    ty: String,
    /// What the static is named after it, if it is a database.
    database: Option<String>,
}

impl Function {
    pub(super) fn text(&self) -> String {
        let parameters = self.parameters.iter().map(|parameter| {
            let Parameter {
                attributes,
                pattern,
                ty,
                ..
            } = parameter;
            if ty.is_empty() {
                format!("{attributes} {pattern}")
            } else {
                format!("{attributes} {pattern}: {ty}")
            }
        });
        let parameters: Vec<_> = parameters.collect();
        let Self {
            attributes,
            visibility,
            qualifiers,
            name,
            generics,
            output,
            clause,
            body,
            ..
        } = self;
        format!(
            "{attributes} {visibility} {qualifiers} fn {name}{generics}({}) {output} {clause} {body}",
            parameters.join(", ")
        )
    }

    pub(super) fn ident(&self) -> Ident {
        syn::parse_str(self.name).expect("an identifier")
    }

    /// The names of its statics.
    pub(super) fn statics(&self) -> Vec<String> {
        let function = self.name.trim_start_matches("r#").to_uppercase();
        let names = self
            .parameters
            .iter()
            .filter_map(|parameter| parameter.database.as_ref());
        names
            .map(|name| match name.strip_prefix('=') {
                Some(name) => name.to_owned(),
                None => format!("{function}_{name}"),
            })
            .collect()
    }

    /// Whether it has a parameter that can be a database.
    pub(super) fn can_be_hoisted(&self) -> bool {
        let mut parameters = self.parameters.iter();
        parameters.any(|parameter| !parameter.ty.is_empty())
    }

    /// Which of its parameters are databases.
    pub(super) fn databases(&self) -> Vec<usize> {
        let parameters = self.parameters.iter().enumerate();
        parameters
            .filter(|(_, parameter)| parameter.database.is_some())
            .map(|(index, _)| index)
            .collect()
    }
}

const ATTRIBUTES: [&str; 14] = [
    "/// What it does.\n",
    "#[doc = include_str!(\"x.md\")]",
    "#[doc(hidden)]",
    "#[allow(clippy::all, reason = \"x\")]",
    "#[expect(unused, dead_code)]",
    "#[deny(warnings)]",
    "#[must_use = \"x\"]",
    "#[deprecated(since = \"1\", note = \"x\")]",
    "#[cfg(all(unix, not(x)))]",
    "#[cfg_attr(unix, allow(x), must_use)]",
    "#[tracing::instrument(skip_all, fields(a = 1, b = %c))]",
    "#[inline]",
    "#[r#try]",
    "#[a::b { c }]",
];

const GENERICS: &str = "<'l, 'm: 'l, T: Clone + 'static, const N: usize>";

/// Types with nothing of the generics.
const FREE: [&str; 12] = [
    "u8",
    "Request",
    "Path<(u32, String)>",
    "&str",
    "&mut [u8]",
    "[u8; 4]",
    "(u8,)",
    "impl Fn(&u8) -> u8 + Send",
    "Box<dyn for<'x> Fn(&'x u8) -> &'x u8>",
    "fn(u8) -> !",
    "<Vec<u8> as IntoIterator>::Item",
    "m!(x)",
];

const GENERIC: [&str; 6] = [
    "T",
    "&'l T",
    "[T; N]",
    "Cow<'m, str>",
    "impl Into<T> + use<>",
    "Option<Vec<T>>",
];

/// Types of databases, each with what it needs of the generics.
const DATABASES: [&str; 16] = [
    "&mut PgConnection",
    "&mut sqlx::PgConnection",
    "&mut Transaction<'_, Postgres>",
    "&mut ::sqlx::Transaction<'static, Postgres>",
    "&PgPool",
    "&'_ Pool<Postgres>",
    "PgPool",
    "&mut (C)",
    "((&S))",
    "&mut <M as Manager>::Connection",
    "&Client<for<'x> fn(&'x u8) -> &'x u8>",
    "&mut (A, B)",
    "[S; 2]",
    "&mut Box<dyn Any + Send>",
    "&mut &'static mut C",
    "m!(PgPool)",
];

const OUTPUTS: [&str; 9] = [
    "",
    "-> Out",
    "-> Result<Response<Body>, Error>",
    "-> Result<impl IntoResponse, E>",
    "-> impl IntoResponse + Send",
    "-> Result<Box<dyn Fn(&u8) -> &u8>, E>",
    "-> Result<&'static str, E>",
    "-> !",
    "-> [u8; { 1 + 1 }]",
];

const BODIES: [&str; 6] = [
    "{ }",
    "{ body }",
    "{ let x = db; x.y().await?; return Ok(()); }",
    "{ #![allow(x)] fn inner<T>() {} loop { break 'a; } }",
    "{ r#\"a\"#; b'x'; 1.5e3; 'l: { } }",
    "{ macro_rules! m { ($x:tt) => { $x }; } m!() }",
];

fn pattern(n: usize) -> impl Strategy<Value = String> {
    let patterns = [
        format!("a{n}"),
        format!("mut a{n}"),
        "_".to_owned(),
        format!("(a{n}, _)"),
        format!("Path(a{n})"),
        format!("S {{ x: a{n}, ref y, .. }}"),
        format!("[a{n}, ..]"),
        format!("&a{n}"),
        format!("a{n} @ (_, _)"),
        "r#in".to_owned(),
    ];
    select(patterns.to_vec())
}

fn other(n: usize, types: &'static [&'static str]) -> impl Strategy<Value = Parameter> {
    let attributes = select(vec![
        "",
        "",
        "",
        "#[allow(x)]",
        "#[cfg_attr(x, allow(y))]",
        "#[axum::y]",
    ]);
    (attributes, pattern(n), select(types)).prop_map(|(attributes, pattern, ty)| Parameter {
        attributes: attributes.to_owned(),
        pattern,
        ty: ty.to_owned(),
        database: None,
    })
}

/// A database, after which the static is named; `=…` is a name of its own.
fn database(n: usize, marked: bool) -> impl Strategy<Value = Parameter> {
    let patterns = [
        (format!("db{n}"), format!("DB{n}")),
        (format!("mut db{n}"), format!("DB{n}")),
        (format!("__db{n}_x"), format!("DB{n}_X")),
        (format!("r#db{n}"), format!("DB{n}")),
        (format!("ßŉ{n}"), format!("SSʼN{n}")),
    ];
    let marks = if marked {
        vec![
            "#[db]".to_owned(),
            "#[db()]".to_owned(),
            "#[allow(x)] #[db(env = \"A\",)] #[expect(y)]".to_owned(),
            "#[db(source = A.or(\"x\"))]".to_owned(),
            format!("#[db(name = OWN_{n}, env = \"A\")]"),
        ]
    } else {
        vec![String::new(), "#[allow(x)]".to_owned()]
    };
    (
        select(marks),
        select(patterns.to_vec()),
        select(DATABASES.to_vec()),
    )
        .prop_map(move |(attributes, (pattern, name), ty)| Parameter {
            database: Some(if attributes.contains("OWN_") {
                format!("=OWN_{n}")
            } else {
                name
            }),
            attributes,
            pattern,
            ty: ty.to_owned(),
        })
}

fn parameters(types: &'static [&'static str]) -> impl Strategy<Value = Vec<Parameter>> {
    let others = move || {
        (0..4_usize).prop_flat_map(move |count| {
            (0..count)
                .map(|n| other(n, types).boxed())
                .collect::<Vec<_>>()
        })
    };
    prop_oneof![
        (others(), database(9, false)).prop_map(|(mut all, last)| {
            all.push(last);
            all
        }),
        (others(), 1..4_usize).prop_flat_map(|(others, count)| {
            let databases: Vec<_> = (0..count).map(|n| database(n, true).boxed()).collect();
            databases.prop_flat_map(move |databases| {
                let all: Vec<_> = databases.into_iter().chain(others.clone()).collect();
                Just(all).prop_shuffle()
            })
        }),
    ]
}

/// A function that the attribute takes.
pub(super) fn right_function() -> impl Strategy<Value = Function> {
    let generic: &'static [&'static str] = &GENERIC;
    let signature = prop_oneof![
        (Just(""), parameters(&FREE), Just("")),
        (
            Just(GENERICS),
            parameters(generic),
            select(vec!["", "where T: Copy,", "where 'm: 'l, T: From<[u8; N]>"])
        ),
    ];
    (
        subsequence(ATTRIBUTES.to_vec(), 0..4).prop_map(|all| all.join(" ")),
        select(vec![
            "",
            "pub",
            "pub(crate)",
            "pub(super)",
            "pub(in crate::a)",
        ]),
        select(vec!["handler", "r#match", "h", "größe", "__x"]),
        signature,
        select(OUTPUTS.to_vec()),
        select(BODIES.to_vec()),
    )
        .prop_map(
            |(attributes, visibility, name, (generics, parameters, clause), output, body)| {
                Function {
                    attributes,
                    visibility,
                    qualifiers: "async",
                    name,
                    generics,
                    parameters,
                    output,
                    clause,
                    body,
                }
            },
        )
}

/// A function with something wrong about it, or not.
pub(super) fn any_function() -> impl Strategy<Value = Function> {
    let qualifiers = select(vec![
        "async",
        "",
        "const",
        "unsafe",
        "async unsafe",
        "extern \"C\"",
        "const async unsafe extern",
    ]);
    let wrong = prop::collection::vec((wrong_parameter(), any::<Index>()), 0..4);
    let receiver = select(vec!["", "", "", "", "self", "&mut self", "self: Box<Self>"]);
    let last = select(vec!["", "", "", "", "...", "#[x] _: ..."]);
    (
        right_function(),
        qualifiers,
        wrong,
        any::<Index>(),
        receiver,
        last,
    )
        .prop_map(|(mut function, qualifiers, wrong, kept, receiver, last)| {
            function.qualifiers = qualifiers;
            let parameters = &mut function.parameters;
            for (parameter, place) in wrong {
                parameters.insert(place.index(parameters.len() + 1), parameter);
            }
            // Sometimes none is left.
            parameters.truncate(kept.index(8));
            let bare = |text: &str| Parameter {
                attributes: String::new(),
                pattern: text.to_owned(),
                ty: String::new(),
                database: None,
            };
            if !receiver.is_empty() {
                parameters.insert(0, bare(receiver));
            }
            if !last.is_empty() {
                parameters.push(bare(last));
            }
            function
        })
}

fn wrong_parameter() -> impl Strategy<Value = Parameter> {
    let attributes = select(vec![
        "#[db = \"x\"]",
        "#[db] #[db]",
        "#[db(env)]",
        "#[db(with = x)]",
        "#[db(name = 3)]",
        "#[db(name = SAME)]",
        "#[cfg_attr(x, db)]",
        "#[cfg(x)]",
        "#[cfg(x)] #[db]",
        "#[cfg()]",
        "#[db { x }]",
        "",
    ]);
    let types = select(vec![
        "&'static C",
        "&'l mut C<'l>",
        "&mut impl Connect",
        "T",
        "&mut [T; N]",
        "impl Connect",
        "&mut dyn for<'x> F<'x>",
        "*const u8",
        "!",
        "_",
    ]);
    (attributes, pattern(7), types).prop_map(|(attributes, pattern, ty)| Parameter {
        attributes: attributes.to_owned(),
        pattern,
        ty: ty.to_owned(),
        database: None,
    })
}
