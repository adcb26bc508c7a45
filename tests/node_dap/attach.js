// Microsoft's DAP test client on a port that %pxdebug attach has opened: node attach.js PORT FILE LINE CONDITION
// Prints one line of JSON: what it has seen. The steps are those of an editor's session.
const { DebugClient } = require("@vscode/debugadapter-testsupport");

async function main([port, file, line, condition]) {
    const client = new DebugClient("node", "", "debugpy");
    await client.start(Number(port));
    await client.initializeRequest({
        adapterID: "debugpy", pathFormat: "path", linesStartAt1: true, columnsStartAt1: true,
    });
    const attached = client.attachRequest({ justMyCode: true });
    await client.waitForEvent("initialized", 30000);
    const breakpoints = await client.setBreakpointsRequest({
        source: { path: file }, breakpoints: [{ line: Number(line), condition }],
    });
    const stopped = client.waitForEvent("stopped", 30000);
    await client.configurationDoneRequest();
    await attached;
    const { reason, threadId } = (await stopped).body;
    const top = (await client.stackTraceRequest({ threadId, levels: 1 })).body.stackFrames[0];
    const evaluate = async (expression, frame) =>
        (await client.evaluateRequest({ expression, frameId: frame.id, context: "watch" })).body.result;
    const where = await evaluate("(rank, step % 40, comm.size)", top);
    const scopes = (await client.scopesRequest({ frameId: top.id })).body.scopes;
    const locals = scopes.find((scope) => scope.name === "Locals").variablesReference;
    const changed = await client.setVariableRequest({ variablesReference: locals, name: "mass", value: "1.5" });
    const stepped = client.waitForEvent("stopped", 30000);
    await client.nextRequest({ threadId });
    const next = (await client.stackTraceRequest({ threadId: (await stepped).body.threadId })).body.stackFrames[0];
    await client.continueRequest({ threadId });
    await client.disconnectRequest({ terminateDebuggee: false });
    return {
        verified: breakpoints.body.breakpoints[0].verified, reason, name: top.name, line: top.line,
        path: top.source.path, where, changed: changed.body.value, stepped: next.line > top.line,
    };
}

main(process.argv.slice(2)).then(
    (seen) => { console.log(JSON.stringify(seen)); process.exit(0); },
    (error) => { console.error(error); process.exit(1); },
);
