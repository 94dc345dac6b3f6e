// tools/docs.js: docs/api.md, made of the doc comments of everything that the entries export: `npm run docs` writes it, and
// tests/docs.test.js compares it. Reads the comments through TypeScript, so that what it says of types is what editors show.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';
import { ROOT } from './steps.js';

/** The entries, and the module whose names each exports. */
const ENTRIES = [
  {
    name: 'gradnorm',
    path: 'web/api.js',
    lead: '`gradnorm/slim` exports the same, with its WebAssembly in a file of its own: see [Loading](loading.md).',
  },
  { name: 'gradnorm/webgpu', path: 'web/webgpu/index.js', lead: 'More in [WebGPU](webgpu.md).' },
  { name: 'gradnorm/tfjs', path: 'web/adapters/tfjs.js', lead: 'More in [TensorFlow.js](tensorflow.md).' },
  { name: 'gradnorm/jax', path: 'web/adapters/jax.js', lead: 'More in [jax-js](jax.md).' },
];

const LEAD = `# API

Every name that the entries export: its parameters, what it returns, the errors that it throws, and the types.

Your editor shows the same, from the same comments. What holds for all of them, such as what gradients may be, is in
[Semantics](semantics.md).
`;

/**
 * What a doc comment says.
 * @typedef {object} Doc
 * @property {string} text
 * @property {Field[]} params
 * @property {{ type: ts.TypeNode | undefined, text: string } | null} returns
 * @property {{ type: string, text: string }[]} throws
 * @property {string[]} examples
 * @property {Map<string, ts.TypeNode>} bounds  what type parameters extend, by their names
 */

/** @typedef {{ name: string, type: ts.TypeNode | undefined, isOptional: boolean, text: string }} Field  a parameter or property */

/** @returns {string}  docs/api.md as it should be */
export function apiPage() {
  const options = ts.convertCompilerOptionsFromJson(
    JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')).compilerOptions,
    ROOT,
  ).options;
  const program = ts.createProgram(
    ENTRIES.map(({ path }) => join(ROOT, path)),
    options,
  );
  return new Page(program).write();
}

/** Writes docs/api.md. */
export function writeApiPage() {
  writeFileSync(join(ROOT, 'docs', 'api.md'), apiPage());
}

class Page {
  #program;
  #checker;
  /** Where the page tells of a class or a type. @type {Map<string, string>} */
  #anchors = new Map();
  /** Types to write about. @type {Map<string, ts.JSDocTypedefTag | ts.JSDocCallbackTag>} */
  #types = new Map();

  /** @param {ts.Program} program */
  constructor(program) {
    this.#program = program;
    this.#checker = program.getTypeChecker();
  }

  write() {
    const entries = ENTRIES.map((entry) => ({ ...entry, ...this.#exportsOf(entry.path) }));
    for (const { values, types } of entries) {
      for (const [name, symbol] of values)
        if (isClass(symbol)) this.#anchors.set(name, anchorOf(`Class ${name}`));
      for (const name of types.keys()) this.#anchors.set(name, anchorOf(`Type ${name}`));
    }
    const parts = entries.map((entry, i) => this.#entry(entry, entries.slice(0, i)));
    return `${[LEAD, this.#index(entries), ...parts].join('\n').trimEnd()}\n`;
  }

  /** @param {{ name: string, values: Map<string, ts.Symbol> }[]} entries */
  #index(entries) {
    const rows = entries.map(({ name: entry, values }, i) => {
      const names = [...values].map(([name, symbol]) => {
        const heading = headingOf(name, symbol, entry, entries.slice(0, i));
        return `[${code(name)}](#${anchorOf(heading)})`;
      });
      return `${rowOf([`[${code(entry)}](#${anchorOf(`The entry ${entry}`)})`, names.join(', ')])}\n`;
    });
    return `| entry | names |\n|---|---|\n${rows.join('')}`;
  }

  /** @param {string} path */
  #exportsOf(path) {
    const file = /** @type {ts.SourceFile} */ (this.#program.getSourceFile(join(ROOT, path)));
    const module = /** @type {ts.Symbol} */ (this.#checker.getSymbolAtLocation(file));
    /** @type {Map<string, ts.Symbol>} */
    const values = new Map();
    /** @type {Map<string, ts.JSDocTypedefTag>} */
    const types = new Map();
    for (const exported of this.#checker.getExportsOfModule(module)) {
      const symbol = this.#resolve(exported);
      const [declaration] = symbol.declarations ?? [];
      if (ts.isJSDocTypedefTag(declaration)) types.set(exported.name, this.#finalTypedef(declaration));
      else values.set(exported.name, symbol);
    }
    return { values: sorted(values), types: sorted(types) };
  }

  /** @param {ts.Symbol} symbol */
  #resolve(symbol) {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }

  /**
   * The typedef that others hand on under its name.
   * @param {ts.JSDocTypedefTag} typedef
   * @returns {ts.JSDocTypedefTag}
   */
  #finalTypedef(typedef) {
    const type = typeOfTypedef(typedef);
    if (type === undefined || !ts.isImportTypeNode(type) || type.qualifier === undefined) return typedef;
    const declaration = this.#checker.getSymbolAtLocation(type.qualifier)?.declarations?.[0];
    return declaration !== undefined && ts.isJSDocTypedefTag(declaration)
      ? this.#finalTypedef(declaration)
      : typedef;
  }

  /**
   * @param {{ name: string, lead: string, values: Map<string, ts.Symbol>, types: Map<string, ts.JSDocTypedefTag> }} entry
   * @param {{ values: Map<string, ts.Symbol>, types: Map<string, ts.JSDocTypedefTag> }[]} before  the entries that came before
   */
  #entry({ name: entry, lead, values, types }, before) {
    for (const [name, typedef] of types) {
      if (!before.some((other) => other.types.has(name))) this.#types.set(name, typedef);
    }
    const names = [...values.keys()];
    const parts = [...values].map(([name, symbol]) =>
      this.#value(headingOf(name, symbol, entry, before), name, symbol, { entry, names }),
    );
    return (
      [`## The entry ${entry}`, lead, ...parts, ...this.#typesSoFar()].filter(Boolean).join('\n\n') + '\n'
    );
  }

  /**
   * @param {string} heading
   * @param {string} name
   * @param {ts.Symbol} symbol
   * @param {{ entry: string, names: string[] }} where
   */
  #value(heading, name, symbol, where) {
    return isClass(symbol)
      ? this.#class(heading, symbol, where)
      : this.#function(`### ${heading}`, name, symbol, where);
  }

  /**
   * @param {string} heading
   * @param {string} name
   * @param {ts.Symbol} symbol
   * @param {{ entry: string, names: string[] }} where
   * @returns {string}
   */
  #function(heading, name, symbol, where) {
    const type = this.#checker.getTypeOfSymbol(symbol);
    const declaration = type.getCallSignatures()[0].getDeclaration();
    const members = type
      .getProperties()
      .filter((member) => this.#checker.getTypeOfSymbol(member).getCallSignatures().length > 0)
      .map((member) =>
        this.#function(`#### ${name}.${member.name}`, `${name}.${member.name}`, member, where),
      );
    return [heading, ...this.#call(name, docOf(declaration), where), ...members].join('\n\n');
  }

  /**
   * How something is called, and what comes of it.
   * @param {string} name
   * @param {Doc} doc
   * @param {{ entry: string, names: string[] }} where
   */
  #call(name, { text, params, returns, throws, examples, bounds }, where) {
    const list = params.map((param) => `${param.name}${param.isOptional ? '?' : ''}`).join(', ');
    const result =
      returns === null
        ? ''
        : `: ${this.#type(returns.type)}${returns.text === '' ? '' : `, ${inLine(returns.text)}`}`;
    return [
      `\`${name}(${list})\`${result}`,
      text,
      this.#table('parameter', params, bounds),
      throws.map(sentenceOfThrows).join('\n'),
      ...examples.map((example) => programOf(example, where)),
    ].filter(Boolean);
  }

  /**
   * @param {string} heading
   * @param {ts.Symbol} symbol
   * @param {{ entry: string, names: string[] }} where
   */
  #class(heading, symbol, where) {
    const declaration = /** @type {ts.ClassDeclaration} */ (symbol.declarations?.[0]);
    const instance = symbol.name.replace(/^./, (letter) => letter.toLowerCase());
    const { text, examples } = docOf(declaration);
    const own = this.#checker
      .getPropertiesOfType(this.#checker.getDeclaredTypeOfSymbol(symbol))
      .filter(isPublic);
    const statics = [...(symbol.exports?.values() ?? [])].filter(
      (member) => isMethod(member) && isPublic(member),
    );
    const constructor = declaration.members.find((member) => ts.isConstructorDeclaration(member));
    const isConstructed = constructor !== undefined && !isInternal(constructor);
    const signatureOf = (/** @type {ts.Symbol} */ member) =>
      this.#checker.getTypeOfSymbol(member).getCallSignatures()[0].getDeclaration();
    const calls = [
      ...(isConstructed ? [this.#method(`new ${symbol.name}`, constructor, where)] : []),
      ...statics.map((member) => this.#method(`${symbol.name}.${member.name}`, signatureOf(member), where)),
      ...own
        .filter(isMethod)
        .map((member) => this.#method(`${instance}.${member.name}`, signatureOf(member), where)),
    ];
    const fields = own.filter((member) => !isMethod(member));
    return [
      `### ${heading}`,
      text,
      ...examples.map((example) => programOf(example, where)),
      this.#fields(fields),
      ...calls,
    ]
      .filter(Boolean)
      .join('\n\n');
  }

  /**
   * @param {string} name
   * @param {ts.Node} declaration
   * @param {{ entry: string, names: string[] }} where
   */
  #method(name, declaration, where) {
    return [`#### ${name}`, ...this.#call(name, docOf(declaration), where)].join('\n\n');
  }

  /** @param {ts.Symbol[]} members  those that are no methods */
  #fields(members) {
    if (members.length === 0) return '';
    const rows = members.map((member) => {
      const type = this.#checker.getTypeOfSymbol(member);
      const words = this.#checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation);
      const text = ts.displayPartsToString(member.getDocumentationComment(this.#checker));
      return rowOf([code(member.name), this.#linked(words), inLine(text)]);
    });
    return ['| property | type | |', '|---|---|---|', ...rows].join('\n');
  }

  /**
   * @param {string} what
   * @param {Field[]} fields
   * @param {Map<string, ts.TypeNode>} [bounds]
   */
  #table(what, fields, bounds = new Map()) {
    if (fields.length === 0) return '';
    const rows = fields.map(({ name, type, isOptional, text }) => {
      const shown = bounds.get(type?.getText() ?? '') ?? type;
      return rowOf([code(`${name}${isOptional ? '?' : ''}`), this.#type(shown), inLine(text)]);
    });
    return [`| ${what} | type | |`, '|---|---|---|', ...rows].join('\n');
  }

  /** Of the types that were named and have not been written about, and of those that these name. */
  #typesSoFar() {
    /** @type {Map<string, string>} */
    const written = new Map();
    while (this.#types.size > 0) {
      const [[name, typedef]] = this.#types;
      this.#types.delete(name);
      written.set(name, this.#typedef(name, typedef));
    }
    return sorted(written).values();
  }

  /**
   * @param {string} name
   * @param {ts.JSDocTypedefTag | ts.JSDocCallbackTag} typedef
   */
  #typedef(name, typedef) {
    const { text } = docOf(typedef);
    const own = inLine(textOf(typedef));
    const { typeExpression } = typedef;
    const isRecord = typeExpression !== undefined && ts.isJSDocTypeLiteral(typeExpression);
    const fields = isRecord ? (typeExpression.jsDocPropertyTags ?? []).map(fieldOf) : [];
    const type = typeOfTypedef(/** @type {ts.JSDocTypedefTag} */ (typedef));
    return [
      `### Type ${name}`,
      text,
      own,
      type === undefined ? '' : this.#type(type),
      this.#table('property', fields),
    ]
      .filter(Boolean)
      .join('\n\n');
  }

  /**
   * A type as it is written in the source, with links to what this page says of its parts.
   * @param {ts.TypeNode | undefined} node
   */
  #type(node) {
    if (node === undefined) return '';
    this.#note(node);
    const text = node
      .getText()
      .replace(/import\('\.[^']*'\)\./g, '')
      .replace(/\s*\n\s*\*\s*/g, ' ');
    return this.#linked(text);
  }

  /** @param {string} text */
  #linked(text) {
    return text
      .replace(/\bGpu(Device|Buffer|CommandEncoder)\b/g, 'GPU$1')
      .split(/\b([A-Z]\w+)\b/)
      .map((part) => {
        if (part === '') return '';
        const anchor = this.#anchors.get(part);
        return anchor === undefined ? part : { part, anchor };
      })
      .reduce(joinPlain, [])
      .map((part) => (typeof part === 'string' ? code(part) : `[${code(part.part)}](#${part.anchor})`))
      .join('');
  }

  /**
   * Keeps the types that are named in another, to write about them.
   * @param {ts.Node} node
   */
  #note(node) {
    const name = ts.isImportTypeNode(node)
      ? node.qualifier
      : ts.isTypeReferenceNode(node)
        ? node.typeName
        : undefined;
    if (name !== undefined) this.#noteName(name);
    ts.forEachChild(node, (child) => this.#note(child));
  }

  /** @param {ts.Node} node  a name in a type */
  #noteName(node) {
    const symbol = this.#checker.getSymbolAtLocation(node);
    const declaration = symbol && this.#resolve(symbol).declarations?.[0];
    if (declaration === undefined || !ts.isJSDocTypedefTag(declaration)) return;
    const name = node.getText();
    const typedef = this.#finalTypedef(declaration);
    if (this.#anchors.has(name) || isForeign(typedef)) return;
    this.#anchors.set(name, anchorOf(`Type ${name}`));
    this.#types.set(name, typedef);
  }
}

/**
 * @template T
 * @param {Map<string, T>} map
 * @returns {Map<string, T>}
 */
function sorted(map) {
  const isUpper = (/** @type {string} */ name) => Number(/^[A-Z]/.test(name));
  return new Map([...map].sort(([a], [b]) => isUpper(a) - isUpper(b) || a.localeCompare(b, 'en')));
}

/** @param {ts.Symbol} symbol */
function isClass(symbol) {
  return (symbol.flags & ts.SymbolFlags.Class) !== 0;
}

/**
 * @param {string} name
 * @param {ts.Symbol} symbol
 * @param {string} entry
 * @param {{ values: Map<string, ts.Symbol> }[]} before  the entries that came before, which may have the name as well
 */
function headingOf(name, symbol, entry, before) {
  if (isClass(symbol)) return `Class ${name}`;
  return before.some((other) => other.values.has(name)) ? `${name} (${entry})` : name;
}

/** @param {string} heading */
function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

/** @param {{ type: string, text: string }} throws */
function sentenceOfThrows({ type, text }) {
  const types = type.split(' | ').map(code);
  const last = types.pop();
  const list = types.length > 0 ? `${types.join(', ')} or ${last}` : last;
  return `- Throws ${/^[AEIOU]/.test(type) ? 'an' : 'a'} ${list} ${inLine(text).replace(/\.$/, '')}.`;
}

/** @typedef {string | { part: string, anchor: string }} Piece */

/**
 * @param {Piece[]} pieces
 * @param {Piece} piece
 */
function joinPlain(pieces, piece) {
  const last = pieces.at(-1);
  if (typeof piece === 'string' && typeof last === 'string') pieces[pieces.length - 1] = last + piece;
  else if (piece !== '') pieces.push(piece);
  return pieces;
}

/** @param {string} text */
function code(text) {
  return `\`${text}\``;
}

/** @param {string} text  of a comment, for a line */
function inLine(text) {
  return text.replace(/\s*\n\s*/g, ' ');
}

/** @param {string[]} cells  of a table */
function rowOf(cells) {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/**
 * An example as a program of its own.
 * @param {string} example
 * @param {{ entry: string, names: string[] }} where
 */
function programOf(example, { entry, names }) {
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(example));
  const gap = /^import /.test(example) ? '' : '\n';
  return `\`\`\`js\nimport { ${used.join(', ')} } from '${entry}';\n${gap}${example}\n\`\`\``;
}

/** @param {ts.JSDocTypedefTag} typedef */
function typeOfTypedef({ typeExpression }) {
  return typeExpression !== undefined && ts.isJSDocTypeExpression(typeExpression)
    ? typeExpression.type
    : undefined;
}

/**
 * Of other libraries, or only there because these do not say what TypeScript needs.
 * @param {ts.Node} node
 */
function isForeign(node) {
  const path = relative(ROOT, node.getSourceFile().fileName).split(sep).join('/');
  return !path.startsWith('web/') || path === 'web/webgpu/types.js';
}

/** @param {ts.Symbol} member */
function memberOf(member) {
  return /** @type {ts.Declaration} */ (member.declarations?.[0]);
}

/** @param {ts.Symbol} member */
function isMethod(member) {
  return (member.flags & ts.SymbolFlags.Method) !== 0;
}

/** @param {ts.Symbol} member */
function isPublic(member) {
  const declaration = memberOf(member);
  return (
    declaration !== undefined &&
    /^[a-z]\w*$/i.test(member.name) &&
    !isForeign(declaration) &&
    !isInternal(declaration)
  );
}

/** @param {ts.Node} node */
function isInternal(node) {
  const tags = ts.getJSDocTags(node).map(({ tagName }) => tagName.text);
  return tags.includes('internal') || tags.includes('private');
}

/**
 * @param {ts.Node} node
 * @returns {Doc}
 */
function docOf(node) {
  const comment = commentOf(node);
  const tags = (comment?.tags ?? []).flatMap((tag) =>
    ts.isJSDocOverloadTag(tag) ? tagsOfOverload(tag) : [tag],
  );
  const returns = tags.find((tag) => ts.isJSDocReturnTag(tag));
  return {
    text: textOf(comment),
    params: tags.filter((tag) => ts.isJSDocParameterTag(tag)).map(fieldOf),
    returns: returns === undefined ? null : { type: returns.typeExpression?.type, text: textOf(returns) },
    throws: tags
      .filter((tag) => ts.isJSDocThrowsTag(tag))
      .map((tag) => ({ type: tag.typeExpression?.type.getText() ?? 'Error', text: textOf(tag) })),
    examples: tags.filter(({ tagName }) => tagName.text === 'example').map(textOf),
    bounds: new Map(
      tags
        .filter(ts.isJSDocTemplateTag)
        .flatMap(({ constraint, typeParameters }) =>
          constraint === undefined ? [] : [[typeParameters[0].name.text, constraint.type]],
        ),
    ),
  };
}

/**
 * The comment that tells of something: of several, the one with its public signature.
 * @param {ts.Node} node
 * @returns {ts.JSDoc | undefined}
 */
function commentOf(node) {
  for (let parent = node; parent !== undefined; parent = parent.parent) {
    if (ts.isJSDoc(parent)) return parent;
    if (!ts.isJSDocSignature(parent) && !ts.isJSDocOverloadTag(parent) && !ts.isJSDocTypedefTag(parent))
      break;
  }
  const comments = ts.getJSDocCommentsAndTags(node).filter((each) => ts.isJSDoc(each));
  return comments.find(({ tags }) => tags?.some(ts.isJSDocOverloadTag)) ?? comments.at(-1);
}

/** @param {ts.JSDocOverloadTag} tag */
function tagsOfOverload({ typeExpression: { parameters, type } }) {
  return /** @type {ts.JSDocTag[]} */ ([...parameters, ...(type === undefined ? [] : [type])]);
}

/**
 * @param {ts.JSDocPropertyLikeTag} tag
 * @returns {Field}
 */
function fieldOf(tag) {
  const { name, typeExpression, isBracketed } = tag;
  return { name: name.getText(), type: typeExpression?.type, isOptional: isBracketed, text: textOf(tag) };
}

/** @param {ts.JSDoc | ts.JSDocTag | undefined} commented */
function textOf(commented) {
  return (ts.getTextOfJSDocComment(commented?.comment) ?? '').trim();
}

if (import.meta.filename === process.argv[1]) writeApiPage();
