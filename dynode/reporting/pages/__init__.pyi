from dynode.reporting.pages.looks import CurveLook as CurveLook
from dynode.reporting.pages.looks import curve_looks as curve_looks
from dynode.reporting.pages.notebook_pages import notebook_html as notebook_html
from dynode.reporting.pages.page import rendered as rendered
from dynode.reporting.pages.view_data import View as View
from dynode.reporting.pages.view_data import view_of as view_of
from dynode.reporting.pages.viewer import viewer_page as viewer_page
