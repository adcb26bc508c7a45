"""The text that `?px` shows."""

from __future__ import annotations

__all__ = ["HELP"]

HELP = """Run code on the ranks in focus.

%px CODE, or %%px above a cell. Options stand before the code, as words of their own; -- ends them:
  -t RANKS        elsewhere than on the focus, this once
  -a              do not wait (see %pxresult)
  -o NAME         keep the answers here: a mapping, rank to value
  --timeout S     give the prompt back after S seconds; the ranks run on
  --peek          one expression, in the side thread, whatever the rank does
  --queue         wait for ranks that run something
  --local         run it here too

RANKS: all  3  0-3,7  0-15/2  2:8:2  @first @last @odd  @paused @held @failed @busy @idle @dead  host=n2  local=0
       dp=0&tp=2-3: places in a mesh of the ranks, row-major: %pxconfig --mesh dp=2,tp=4, or --mesh at the start
       joined by , (and)  ! (without)  & (both)  ^ (either);  a name of yours: %pxfocus --name left 0-3

In the pxshell terminal what you type runs on the focus: code, magics and !commands. Here run:
  %px... %autopx                          pxshell's own magics
  %local CODE, %%local                    any code
  exit quit                               leave
  %history %rerun %save %edit %paste      the shell's input
  %config %colors %lsmagic ?px            the shell itself

%pxfocus [RANKS]           show or set the focus; +RANKS, -RANKS, if EXPR
%pxsignal pause            stop each rank at its next line; --sync EXPR: all at the same line of the same step
%pxsignal resume           let all paused ranks go on; also INT TERM KILL USR1 and other signals
%pxsignal abort            free a rank from the call of MPI that it waits in (--interruptible, or ULFM)
%pxdebug post              into the frames of the last exception;  break --on-raise TYPE: stop where it is raised
%pxdebug stacks            where all ranks stand, as one tree; %pxfocus @b takes a branch of it as focus
                           [-t RANKS] [--full] [--locals NAME,NAME] [--every S] [--count K]
%pxsignal --escalate [S]   INT, then TERM and KILL for those that are still there after S seconds each
%pxdebug where             the stacks of paused ranks; up [N], down [N]: cells run in that frame; list [LINE]
%pxdebug next              also step, finish, until [LINE], continue: on all ranks of the focus, or -t RANKS
%pxdebug break FILE:LINE   or FUNCTION  [-t RANKS] [--once] [--hits N] [if EXPR];  watch EXPR;  breaks;  clear N
%pxdebug attach [RANKS]    an editor's debugger on them; --write for VS Code, --together for all as one program; detach
%pxstatus %pxlog [RANK]    what the ranks do, and have written
%pxresult [CELL] [--all]   the answers again; --list: the last cells, of all sessions; h12: one of them
%pxpush NAME[=EXPR]        a value from here to the ranks;  %pxpull EXPR -o NAME  from the ranks to here
%pxdiff EXPR               which ranks hold the same value, and what differs;  %pxplot EXPR  a plot over the ranks
%pxcluster                 start -n 4 [--mpi] | attach [NAME] | list | stop
%pxconfig %pxrestart       settings (--watchdog S: say it when no rank has moved); all ranks anew
"""
