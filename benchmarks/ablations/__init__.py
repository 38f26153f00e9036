"""The paper's ablations on the tiny model: what `ablation.py` is made of.

settings    sizes of the whole thing, and of its toy form
arms        what is compared: stages of each arm
gold_forms  answers in another form than the model's, and a judge that knows the forms
pool        the questions all arms share, made once
one_run     train and measure one arm with one seed
run_files   one file for every arm and seed
estimates   differences to the baseline with their intervals, and what they say
paper       the paper's own figures
report      table, figures and a plain statement of what holds
"""
