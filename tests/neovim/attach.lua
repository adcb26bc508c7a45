-- Debug a rank with nvim-dap as docs/guide/editor.md says; prints what it sees, one fact a line.
-- nvim --headless --clean -l attach.lua PLUGIN SNIPPET FILE LINE
local plugin, snippet, file, line = unpack(arg)
vim.opt.runtimepath:append(plugin)
vim.opt.swapfile = false
dap = require("dap") -- as whoever writes the guide's lines into a configuration has it
local over = false

local function say(...)
  io.stdout:write(string.format(...) .. "\n")
end

dofile(snippet)
dap.listeners.after.event_stopped["px"] = function(session, body)
  say("stopped %s", body.reason)
  vim.wait(10000, function() return session.current_frame ~= nil end)
  session:request("stackTrace", { threadId = body.threadId }, function(_, answer)
    local frame = answer.stackFrames[1]
    say("frame %s %d", frame.name, frame.line)
    session:evaluate({ expression = "(rank, comm.size)", frameId = frame.id, context = "repl" }, function(_, value)
      say("value %s", value.result)
      dap.disconnect({ terminateDebuggee = false }, function() over = true end)
    end)
  end)
end
dap.listeners.after.event_output["px"] = function(_, body) io.stderr:write(body.output) end
vim.cmd.edit(file)
vim.bo.filetype = "python"
vim.api.nvim_win_set_cursor(0, { tonumber(line), 0 })
dap.toggle_breakpoint()
dap.run(dap.configurations.python[1])
if vim.wait(60000, function() return over end, 50) then
  say("disconnected")
else
  say("nothing came for 60 s")
end
