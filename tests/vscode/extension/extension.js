// Chooses the debug adapter of an entry as `createDebugAdapterDescriptor` of microsoft/vscode-python-debugger does for
// "request": "attach", which is not to be had from the registries that tests may use.
const vscode = require("vscode");

function describe({ configuration }) {
    if (configuration.connect !== undefined) {
        return new vscode.DebugAdapterServer(configuration.connect.port, configuration.connect.host || "127.0.0.1");
    }
    if (configuration.listen === undefined && configuration.processId === undefined) {
        throw new Error('"request":"attach" requires either "connect", "listen", or "processId"');
    }
    return new vscode.DebugAdapterExecutable(configuration.debugAdapterPython, [configuration.debugAdapterPath]);
}

exports.activate = (context) => {
    const factory = { createDebugAdapterDescriptor: describe };
    context.subscriptions.push(vscode.debug.registerDebugAdapterDescriptorFactory("debugpy", factory));
};
