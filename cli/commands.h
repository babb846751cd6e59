/*
 * Every command of expctl, in the order in which help shows them.  Each is
 * defined in cli/cmd_<name>.c.
 */

#ifndef EXPCTL_COMMANDS_H
#define EXPCTL_COMMANDS_H

#include "cli/cli.h"

extern const cli_command_t  cmd_init_command;
extern const cli_command_t  cmd_apply_command;
extern const cli_command_t  cmd_validate_command;
extern const cli_command_t  cmd_get_command;
extern const cli_command_t  cmd_list_command;
extern const cli_command_t  cmd_tree_command;
extern const cli_command_t  cmd_stage_command;
extern const cli_command_t  cmd_pause_command;
extern const cli_command_t  cmd_resume_command;
extern const cli_command_t  cmd_rollback_command;
extern const cli_command_t  cmd_assign_command;
extern const cli_command_t  cmd_explain_command;
extern const cli_command_t  cmd_try_command;
extern const cli_command_t  cmd_analyze_command;
extern const cli_command_t  cmd_log_command;
extern const cli_command_t  cmd_top_command;
extern const cli_command_t  cmd_price_command;
extern const cli_command_t  cmd_doctor_command;
extern const cli_command_t  cmd_completion_command;
extern const cli_command_t  cmd_version_command;
extern const cli_command_t  cmd_help_command;

#endif /* EXPCTL_COMMANDS_H */
