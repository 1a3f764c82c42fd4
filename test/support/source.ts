import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..', '..');

/** One TypeScript file of the source. */
export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The files of the repository that it imports, also for types alone. */
  readonly imports: readonly string[];
  /** Import statements, of files and of packages. */
  readonly importCount: number;
  readonly classes: readonly { readonly name: string; readonly parameters: number }[];
}

/** Every TypeScript file under `src`, parsed. */
export function sourceFiles(): SourceFile[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => parse(join(root, 'src', name)));
}

function parse(file: string): SourceFile {
  const text = readFileSync(file, 'utf8');
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const classes: { name: string; parameters: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isClassLike(node)) {
      const made = node.members.find((member) => ts.isConstructorDeclaration(member));
      classes.push({ name: node.name?.text ?? 'anonymous', parameters: made?.parameters.length ?? 0 });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const importCount = tree.statements.filter((statement) => ts.isImportDeclaration(statement)).length;
  // preProcessFile also finds re-exports, dynamic imports and the types of import().
  const imports = ts
    .preProcessFile(text)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => fromRoot(join(file, '..', fileName)).replace(/\.js$/, '.ts'));
  return { path: fromRoot(file), text, imports, importCount, classes };
}

function fromRoot(file: string): string {
  return relative(root, file).split(sep).join('/');
}
