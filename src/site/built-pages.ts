import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { packageRoot } from '../../config/package-root.config.js';

/** The paths of the files that a page needs. */
export interface PageFiles {
  readonly script: string;
  readonly styles: readonly string[];
  /** Scripts that the page imports, to load them early. */
  readonly preloads: readonly string[];
}

interface Chunk {
  readonly file: string;
  readonly src?: string;
  readonly css?: readonly string[];
  readonly imports?: readonly string[];
}

type Manifest = Readonly<Record<string, Chunk>>;

/** A file of the build, whose name changes with its content. */
export interface BuiltFile {
  readonly path: string;
  readonly type: string;
  readonly content: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** The pages as Vite built them. */
export class BuiltPages {
  private constructor(
    private readonly manifest: Manifest,
    private readonly folder: string,
    private readonly prefix: string,
  ) {}

  /** @throws if the pages are not built. */
  static read(): BuiltPages {
    return BuiltPages.readFrom('pages', '/assets/');
  }

  /** The development controls; null where they are not built, as in the package. */
  static readControls(): BuiltPages | null {
    const isBuilt = existsSync(join(packageRoot(), 'dist', 'dev-pages'));
    return isBuilt ? BuiltPages.readFrom('dev-pages', '/dev/assets/') : null;
  }

  private static readFrom(name: string, prefix: string): BuiltPages {
    const folder = join(packageRoot(), 'dist', name);
    const manifest = readFileSync(join(folder, '.vite', 'manifest.json'), 'utf8');
    return new BuiltPages(JSON.parse(manifest) as Manifest, folder, prefix);
  }

  files(): BuiltFile[] {
    return readdirSync(this.folder).flatMap((name) => {
      const type = TYPES[extname(name)];
      return type === undefined
        ? []
        : [{ path: this.prefix + name, type, content: readFileSync(join(this.folder, name)) }];
    });
  }

  /** @param texts the source of the texts in the language of the page, from the folder of the pages. */
  filesOf(entry: string, texts: string): PageFiles {
    return this.filesFor(`${entry}/${entry}.page.tsx`, texts);
  }

  /** @param more sources that the page loads while it runs. */
  filesFor(source: string, ...more: string[]): PageFiles {
    const page = this.chunk(source);
    const chunks = this.imported([page, ...more.map((name) => this.chunk(name))]);
    const styles = [page, ...chunks].flatMap(({ css = [] }) => css);
    return {
      script: this.prefix + page.file,
      styles: [...new Set(styles)].map((file) => this.prefix + file),
      preloads: chunks.filter((chunk) => chunk !== page).map(({ file }) => this.prefix + file),
    };
  }

  private chunk(source: string): Chunk {
    const found = this.manifest[source];
    if (!found) throw new TypeError(`the built pages have no ${source}`);
    return found;
  }

  private imported([page, ...rest]: [Chunk, ...Chunk[]]): Chunk[] {
    const found = new Set<Chunk>(rest);
    const visit = (chunk: Chunk): void => {
      for (const key of chunk.imports ?? []) {
        const next = this.chunk(key);
        if (found.has(next)) continue;
        found.add(next);
        visit(next);
      }
    };
    for (const chunk of [page, ...rest]) visit(chunk);
    return [...found];
  }
}
