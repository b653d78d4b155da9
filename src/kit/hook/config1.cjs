// How drizzle-kit 1.0 loads its config file, and where it can be seen and replaced on the way:
//
// - TypeScript: jiti compiles it with `vm.runInThisContext` and calls the function that comes of it;
// - CommonJS: what `import()` gets is taken from `module.exports` at the end of `Module.prototype._compile`;
// - ES modules: a loader puts a module before it, which imports it and exports what is made of it.
//
// `see` takes the config and returns the one that drizzle-kit gets. `loaded` takes the name of each file of the project
// that is loaded after it.
'use strict';
const path = require('node:path');
const vm = require('node:vm');
const Module = require('node:module');
const { pathToFileURL } = require('node:url');

module.exports = ({ wanted, real, see, ofProject, loaded, failed }) => {
  // A default export may be a promise, which drizzle-kit waits for.
  const seen = (config) => (typeof config?.then === 'function' ? config.then(see) : see(config));
  const isOwn = (filename) => path.isAbsolute(filename) && !filename.includes(`${path.sep}node_modules${path.sep}`);

  const { runInThisContext } = vm;
  vm.runInThisContext = function (code, options) {
    const compiled = runInThisContext.apply(this, arguments);
    const { filename } = options ?? {};
    if (typeof compiled !== 'function' || typeof filename !== 'string' || !isOwn(filename)) return compiled;
    if (real(filename) !== wanted) {
      loaded(filename);
      return (...given) => ofProject(() => compiled(...given));
    }
    return (exports, require, module, ...rest) => {
      const after = () => {
        // What is no TypeScript becomes code that says so, which jiti throws afterwards.
        const { __JITI_ERROR__: unreadable } = module.exports ?? {};
        if (unreadable) return failed(new Error(unreadable.message));
        const own = module.exports?.default ?? module.exports;
        const config = seen(own);
        if (config !== own) module.exports = { default: config };
      };
      const failing = (error) => {
        failed(error);
        throw error;
      };
      let result;
      try {
        result = ofProject(() => compiled(exports, require, module, ...rest));
      } catch (error) {
        failing(error);
      }
      // With `await` at its top level it is an asynchronous function.
      if (typeof result?.then === 'function') return result.then((value) => (after(), value), failing);
      after();
      return result;
    };
  };

  const { _compile: compile } = Module.prototype;
  Module.prototype._compile = function (content, filename, ...rest) {
    if (!isOwn(filename)) return compile.call(this, content, filename, ...rest);
    if (real(filename) !== wanted) {
      loaded(filename);
      return ofProject(() => compile.call(this, content, filename, ...rest));
    }
    let result;
    try {
      result = ofProject(() => compile.call(this, content, filename, ...rest));
    } catch (error) {
      failed(error);
      throw error;
    }
    const own = this.exports?.default ?? this.exports;
    const config = seen(own);
    if (config !== own) this.exports = config;
    return result;
  };

  if (!/\.m?js$/.test(wanted)) return;
  const through = Symbol.for('drizzle-pilot');
  globalThis[through] = (config) => {
    delete globalThis[through];
    return seen(config);
  };
  const url = pathToFileURL(wanted).href;
  const own = JSON.stringify(`${url}?own`);
  const before = `import * as own from ${own}; export default await globalThis[Symbol.for('drizzle-pilot')](own.default ?? own);`;
  const loader = `
    let url, before;
    export const initialize = (given) => { ({ url, before } = given); };
    export const resolve = async (specifier, context, next) => {
      if (specifier === url + '?own') return next(url, context);
      const found = await next(specifier, context);
      const isOurs = String(context.parentURL).includes('?drizzle-pilot');
      if (found.url !== url || isOurs || found.format === 'commonjs') return found;
      return { url: url + '?drizzle-pilot', shortCircuit: true, format: 'module' };
    };
    export const load = async (place, context, next) =>
      place === url + '?drizzle-pilot' ? { format: 'module', source: before, shortCircuit: true } : next(place, context);`;
  Module.register(`data:text/javascript,${encodeURIComponent(loader)}`, { data: { url, before } });
};
