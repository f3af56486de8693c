export default {
  input: "openapi-3.1.json",
  // Node.js requires the extensions of imported modules.
  output: { path: "distribu", module: { extension: ".js" } },
};
