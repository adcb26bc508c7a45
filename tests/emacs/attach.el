;;; attach.el --- Debug a rank with dap-mode as docs/guide/editor.md says  -*- lexical-binding: t -*-
;; emacs --batch -l attach.el SNIPPET FILE LINE: prints what it sees, one fact a line.
(setq command-line-args-left nil)
(defvar px-arguments (last command-line-args 3))
(package-initialize)
(setq dap-auto-configure-features nil dap-auto-show-output nil dap-print-io nil lsp-keymap-prefix "C-c l")
(require 'dap-mode)
(setq lsp-session-file (make-temp-file "lsp-session")
      dap-breakpoints-file (make-temp-file "dap-breakpoints"))
(load (nth 0 px-arguments) nil t)
(defvar px-is-over nil)

(defun px-say (&rest words)
  (princ (concat (apply #'format words) "\n")))

(defun px-ask (session command arguments then)
  (dap--send-message (dap--make-request command arguments) then session))

(add-hook 'dap-stopped-hook (lambda (session) (px-say "stopped %s" (dap--debug-session-name session))))
(add-hook 'dap-stack-frame-changed-hook
  (lambda (session)
    (let ((frame (dap--debug-session-active-frame session)))
      (when (and frame (not px-is-over))
        (px-say "frame %s %s" (gethash "name" frame) (gethash "line" frame))
        (px-ask session "evaluate" (list :expression "(rank, comm.size)" :frameId (gethash "id" frame))
          (lambda (answer)
            (px-say "value %s" (gethash "result" (gethash "body" answer)))
            (px-ask session "disconnect" (list :terminateDebuggee :json-false)
              (lambda (_) (px-say "disconnected") (setq px-is-over t)))))))))

(find-file (nth 1 px-arguments))
(goto-char (point-min))
(forward-line (1- (string-to-number (nth 2 px-arguments))))
(dap-mode 1)
(dap-breakpoint-add)
(dap-debug (cdr (assoc "rank 2 (pxshell)" dap-debug-template-configurations)))
(with-timeout (60 (px-say "nothing came for 60 s"))
  (while (not px-is-over) (accept-process-output nil 0.1)))
