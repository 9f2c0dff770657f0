// Builds the chat page from src/ into server/pgthreads/web/. With --check it writes nothing and
// fails if what is there differs from what it would write.

import { build, transform } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, "..", "server", "pgthreads", "web");

const KATEX = join(HERE, "node_modules", "katex", "src");

/**
 * The module `katex-mathml`: KaTeX without what only its HTML and SVG need, which is more than half of
 * it. What is left out keeps its name, so that the rest finds it, but nothing calls it for MathML.
 */
const mathml = {
  name: "katex-mathml",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^katex-mathml$/ }, () => ({ path: "katex-mathml", namespace: "mathml" }));
    onLoad({ filter: /.*/, namespace: "mathml" }, () => ({
      resolveDir: KATEX,
      loader: "ts",
      contents: `
        import { buildExpression } from "./buildMathML.ts";
        import Options from "./Options.ts";
        import parseTree from "./parseTree.ts";
        import Settings from "./Settings.ts";
        import Style from "./Style.ts";
        export function mathTree(tex, display) {
          const settings = new Settings({
            displayMode: display, throwOnError: true, strict: "ignore", trust: false,
            maxExpand: 300, maxSize: 20,
          });
          const options = new Options({
            style: display ? Style.DISPLAY : Style.TEXT,
            maxSize: settings.maxSize, minRuleThickness: settings.minRuleThickness,
          });
          return buildExpression(parseTree(tex, settings), options);
        }`,
    }));
    onLoad({ filter: /katex[\\/]src[\\/](buildHTML|delimiter|svgGeometry)\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const names = [...source.matchAll(/^export (?:const|function) (\w+)/gm)].map((each) => each[1]);
      names.push(...[...source.matchAll(/^export \{([^}]*)\}/gm)].flatMap((each) => each[1].match(/\w+/g)));
      const stubs = names.map((name) => `export const ${name} = [];`).join("\n");
      return { contents: `${stubs}\nexport default [];`, loader: "js" };
    });
    // Diagrams, pictures and markup are not for the text of a model.
    onLoad({ filter: /functions[\\/](includegraphics|html)\.ts$/ }, () => ({ contents: "" }));
    onLoad({ filter: /environments[\\/]cd\.ts$/ }, () => ({
      contents: 'export const parseCD = () => { throw new Error("no diagrams"); };',
    }));
    onLoad({ filter: /katex[\\/]src[\\/](functions|environments)[\\/].*\.ts$/ }, async ({ path }) => {
      // esbuild prints each file in the same way, so the indentation shows where a function ends.
      const { code } = await transform(await readFile(path, "utf8"), { loader: "ts" });
      const contents = code
        .replace(/^( *)((?:export )?const html[Bb]uilder\w* = ).*\{\n[^]*?\n\1\};?/gm, "$1$2null;")
        .replace(/^( *)htmlBuilder(?:\(|: ).*\{\n[^]*?\n\1\},?/gm, "");
      return { contents, loader: "js" };
    });
    // MathML only asks whether a font has a letter.
    onLoad({ filter: /katex[\\/]src[\\/]fontMetricsData\.js$/ }, () => ({
      contents: "const any = (value) => new Proxy({}, { get: () => value });\n" +
        "export default any(any([0, 0, 0, 0, 0]));",
      loader: "js",
    }));
  },
};

/** Returns a pattern of the private names of the page's own classes, which the packages do not use. */
async function privates() {
  const src = join(HERE, "src");
  const names = new Set();
  for (const path of await readdir(src, { recursive: true })) {
    if (!path.endsWith(".ts")) continue;
    const text = await readFile(join(src, path), "utf8");
    for (const [, name] of text.matchAll(/\bprivate (?:readonly |async )*(_\w+)/g)) names.add(name);
  }
  return new RegExp(`^(?:${[...names].sort().join("|")})$`);
}

/** Returns the files of the page by their paths below OUT. */
async function page() {
  const result = await build({
    absWorkingDir: HERE,
    plugins: [mathml],
    alias: {
      // 2,231 names of characters, and the international names of hosts, which browsers know.
      entities: "./src/markdown/entities.ts",
      "punycode.js": "./src/markdown/punycode.ts",
    },
    entryPoints: ["src/app.ts", "src/style.css"],
    bundle: true,
    minify: true,
    mangleProps: await privates(),
    write: false,
    metafile: true,
    format: "esm",
    target: ["es2022", "chrome123", "firefox121", "safari17.5"],
    charset: "utf8",
    legalComments: "none",
    outdir: OUT,
    // A name changes with its content. So a page never loads a script of another release, and a
    // browser may keep these files for ever.
    entryNames: "assets/[name]-[hash]",
    assetNames: "assets/[name]-[hash]",
  });
  const files = new Map();
  for (const { path, contents } of result.outputFiles) {
    files.set(relative(OUT, path).split(sep).join("/"), Buffer.from(contents));
  }
  const named = (name) => [...files.keys()].find((path) => path.startsWith(`assets/${name}-`));
  const html = (await readFile(join(HERE, "src", "index.html"), "utf8"))
    .replace("{{app}}", `/web/${named("app")}`)
    .replace("{{style}}", `/web/${named("style")}`);
  files.set("index.html", Buffer.from(html));
  files.set("icon.svg", await readFile(join(HERE, "src", "icon.svg")));
  files.set("licenses.txt", Buffer.from(await licenses(Object.keys(result.metafile.inputs))));
  return files;
}

/** Returns the licences of the packages that the bundle has code of. */
async function licenses(inputs) {
  const names = new Set();
  for (const input of inputs) {
    const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) names.add(found[1]);
  }
  const texts = ["The chat page has code of these packages, under these licences.\n"];
  for (const name of [...names].sort()) {
    const folder = join(HERE, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    const text = (await readFile(join(folder, file), "utf8")).replace(/\r/g, "").trim();
    texts.push(`${"=".repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`);
  }
  return texts.join("\n");
}

async function existing(folder = OUT) {
  const files = new Map();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    files.set(relative(folder, path).split(sep).join("/"), await readFile(path));
  }
  return files;
}

const wanted = await page();
const found = await existing();
const stale = [...found.keys()].filter((path) => !wanted.has(path));
const changed = [...wanted.keys()].filter((path) => !found.get(path)?.equals(wanted.get(path)));
if (process.argv.includes("--check")) {
  if (stale.length + changed.length > 0) {
    console.error(`not what \`make web\` builds: ${[...changed, ...stale].join(", ")}`);
    process.exitCode = 1;
  }
} else {
  for (const path of stale) await rm(join(OUT, path));
  for (const path of changed) {
    await mkdir(dirname(join(OUT, path)), { recursive: true });
    await writeFile(join(OUT, path), wanted.get(path));
  }
}
if (process.exitCode !== 1) {
  const size = [...wanted].filter(([path]) => /\.(html|css|js|svg)$/.test(path));
  const bytes = size.reduce((sum, [, content]) => sum + content.length, 0);
  console.log(`up to date: ${wanted.size} files, ${Math.round(bytes / 1000)} KB`);
}
